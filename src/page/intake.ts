// The ways in which image files reach the page: chosen, dropped, pasted.

export interface IntakeElements {
  /** `<input type="file">`. */
  input: HTMLInputElement;
  /** What shows that files may be dropped; they may be dropped anywhere. */
  target: HTMLElement;
}

export function takeFiles({ input, target }: IntakeElements, take: (files: readonly File[]) => void): void {
  const takeAll = (files: Iterable<File> | null | undefined) => {
    const all = [...(files ?? [])];
    if (all.length > 0) take(all);
  };

  input.addEventListener('change', () => {
    takeAll(input.files);
    // The same file may be chosen again.
    input.value = '';
  });

  document.addEventListener('paste', ({ clipboardData }) => takeAll(clipboardData?.files));

  const mark = (isOver: boolean) => target.classList.toggle('over', isOver);
  document.addEventListener('dragover', (event) => {
    if (!event.dataTransfer?.types.includes('Files')) return;
    event.preventDefault();
    mark(true);
  });
  document.addEventListener('dragleave', ({ relatedTarget }) => {
    if (!relatedTarget) mark(false);
  });
  document.addEventListener('drop', (event) => {
    event.preventDefault();
    mark(false);
    takeAll(event.dataTransfer?.files);
  });
}
