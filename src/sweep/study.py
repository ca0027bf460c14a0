# What is done with the storage of a sweep, by Optuna: reads {"storage", "journal", "study", "steps"} as JSON from stdin,
# does the steps in order, and prints their results as a JSON list. The caller lets one such program run at a time on a
# journal, so that what a killed one has left there is nobody's any more.
import contextlib
import io
import json
import os
import sys
import warnings

warnings.filterwarnings("ignore")

import optuna
import optuna.cli


def mend(journal):
    """Removes the lock of a killed program, and the line in whose midst it was killed."""
    for name in os.listdir(os.path.dirname(journal)):
        if name.startswith(os.path.basename(journal) + ".lock"):
            os.unlink(os.path.join(os.path.dirname(journal), name))
    if not os.path.exists(journal):
        return
    with open(journal, "rb+") as file:
        text = file.read()
        whole = text.rfind(b"\n") + 1
        if whole < len(text):
            file.truncate(whole)
            os.fsync(file.fileno())


def run_command_line(words):
    """What the command line of Optuna prints."""
    common = ["--storage", request["storage"]]
    if request["journal"]:
        common += ["--storage-class", "JournalFileBackend"]
    sys.argv = ["optuna", *words, *common, "--study-name", request["study"]]
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        status = optuna.cli.main()
    if status:
        raise RuntimeError(f"optuna {words[0]} ended with code {status}")
    return printed.getvalue()


def open_study(**parts):
    """The study, without a word about Optuna's defaults."""
    if request["journal"]:
        backend = optuna.storages.journal.JournalFileBackend(request["storage"])
        storage = optuna.storages.JournalStorage(backend)
    else:
        storage = request["storage"]
    return optuna.load_study(study_name=request["study"], storage=storage, **parts)


def frozen_trial(study, number):
    return next(trial for trial in study.get_trials(deepcopy=False) if trial.number == number)


def trial_of(study, number):
    """A running trial, to suggest, report or note in."""
    return optuna.trial.Trial(study, frozen_trial(study, number)._trial_id)


def show(_):
    """All that the storage holds."""
    study = open_study()
    trials = [
        {
            "number": trial.number,
            "state": trial.state.name,
            "params": trial.params,
            "value": trial.value if trial.values else None,
            "attributes": trial.user_attrs,
            "reports": trial.intermediate_values,
            "started": trial.datetime_start and trial.datetime_start.astimezone().isoformat(),
            "ended": trial.datetime_complete and trial.datetime_complete.astimezone().isoformat(),
        }
        for trial in study.get_trials(deepcopy=False)
    ]
    return {"attributes": study.user_attrs, "trials": trials}


def note(step):
    """Notes attributes of the study, or of a trial unless it has ended."""
    study, number = open_study(), step["trial"]
    if number is not None and frozen_trial(study, number).state.is_finished():
        return
    target = study if number is None else trial_of(study, number)
    for name, value in step["attributes"].items():
        target.set_user_attr(name, value)


def complete(step):
    """Chooses what a trial lacks whose `ask` was killed."""
    sampler = getattr(optuna.samplers, step["sampler"])(**step["kwargs"])
    trial = trial_of(open_study(sampler=sampler), step["trial"])
    for name, distribution in step["space"].items():
        attributes = distribution["attributes"]
        if distribution["name"] == "CategoricalDistribution":
            trial.suggest_categorical(name, attributes["choices"])
        elif distribution["name"] == "IntDistribution":
            trial.suggest_int(name, **attributes)
        else:
            trial.suggest_float(name, **attributes)


def report(step):
    """Reports a trial's values by epoch that are new, and returns whether to prune it."""
    pruner = getattr(optuna.pruners, step["pruner"])(**step["kwargs"])
    trial = trial_of(open_study(pruner=pruner), step["trial"])
    known = trial.storage.get_trial(trial._trial_id).intermediate_values
    pruned = False
    for epoch, value in step["values"]:
        if epoch not in known:
            trial.report(value, epoch)
            # Some pruners answer with NumPy's own.
            pruned = bool(trial.should_prune())
        if pruned:
            break
    return pruned


def importance(_):
    """How much of the differences between trials each parameter explains; nothing where they are too few to tell."""
    evaluator = optuna.importance.PedAnovaImportanceEvaluator()
    try:
        shares = optuna.importance.get_param_importances(open_study(), evaluator=evaluator)
        return {name: float(share) for name, share in shares.items()}
    except (ValueError, RuntimeError):
        return {}


kinds = {"optuna": run_command_line, "show": show, "note": note, "complete": complete, "report": report,
         "importance": importance}

request = json.load(sys.stdin)
optuna.logging.set_verbosity(optuna.logging.WARNING)
if request["journal"]:
    mend(request["storage"])
results = [kinds[kind](argument) for step in request["steps"] for kind, argument in step.items()]
print(json.dumps(results))
