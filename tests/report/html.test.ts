import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Html, html } from '#src/report/html.js';

test('what is filled in is text, in elements and in attributes', () => {
  const name = `<script>alert("1" & '2')</script>`;
  const escaped = '&lt;script&gt;alert(&quot;1&quot; &amp; &#39;2&#39;)&lt;/script&gt;';
  assert.equal(html`<b title="${name}">${name}</b>`.markup, `<b title="${escaped}">${escaped}</b>`);
});

test('markup, lists, numbers and nothing are filled in as they are', () => {
  const items = ['a', 'b'].map((text) => html`<li>${text}</li>`);
  assert.equal(html`<ul>${items}</ul>${undefined}${0}${new Html('<hr>')}`.markup, '<ul><li>a</li><li>b</li></ul>0<hr>');
});
