"""Inputs for studies: their command lines, and the results files that they read again."""

import json

from tests.fuzzing import programs
from tests.fuzzing.draw import shown
from tests.fuzzing.inputs import Input
from tests.fuzzing.programs import RESULTS

OPTIONS = {
    "training.compare": ["--config", "--workdir", "--minutes", "--jobs", "--seeds"],
    "training.scaling": ["--config", "--workdir", "--percent", "--steps", "--jobs", "--seeds"],
    "training.permuted": ["--config", "--workdir", "--patch", "--jobs", "--set"],
    "training.fewshot": ["--config", "--source", "--output", "--shots", "--draws", "--set"],
    "training.pareto": ["--from", "--costs", "--output"],
    "training.any_size": ["--config", "--workdir", "--jobs", "--set"],
    "training.finetune": [
        *("--folder", "--source", "--workdir", "--epochs", "--image-size", "--channels"),
        *("--compare", "--accept-changes", "--set"),
    ],
    "training.back_to_best": ["RUN"],
    "training.data.arrays": ["NAME", "--output", "--data-dir"],
    "keras_mlp.export.__main__": [
        *("SOURCE", "--output", "--features", "--labels", "--resize", "--deployed", "--overwrite"),
    ],
    "keras_mlp.weights.__main__": ["--architecture", "--variant", "--pattern"],
    "keras_mlp.formats.__main__": ["SOURCE", "--format", "--output", "--calibration-images"],
}


def command_line(draw, material, folder):
    return programs.command_line(draw, material, folder, OPTIONS)


def stored_runs(program):
    """The content of a results file of a program, small and right."""
    from training.permuted import ORDERS

    if program == "training.fewshot":
        return json.loads((RESULTS / "fewshot_digits.json").read_text())
    content = json.loads((RESULTS / "compare_fashion_mnist.json").read_text())
    runs = content["runs"][:4]
    if program == "training.scaling":
        runs = [{**run, "train_examples": 100 * (1 + place)} for place, run in enumerate(runs)]
    if program == "training.permuted":
        runs = [{**run, "order": order} for run in runs[:2] for order in ORDERS]
    if program == "examples.text":
        found = {"perplexity": 5.0, "perplexity_at_twice_the_length": None, "seconds": 9.0}
        runs = [{**run, "model": run["architecture"], **found} for run in runs]
    return {**content, "program": program, "runs": runs}


def results(draw, material, folder):
    """The tables of a damaged results file."""
    from documentation.stored_studies import STUDIES, TABLES, check_study
    from training import pareto
    from training.studies.results import stored_results

    program = draw.one(sorted(TABLES))
    tree = stored_runs(program)
    file = folder / "results.json"
    if draw.chance(0.8):
        runs, at = tree["runs"], draw.random.randrange(len(tree["runs"]))
        if draw.chance(0.7):
            tree["runs"] = [*runs[:at], draw.damaged_tree(runs[at]), *runs[at + 1 :]]
        else:
            tree = draw.damaged_tree(tree)
        file.write_text(json.dumps(tree))
    else:
        file.write_bytes(draw.damaged(json.dumps(tree).encode()))
    kind = draw.one(("tables", "tables", "tables", "pareto", "study"))
    if kind == "study":
        name = draw.one((*STUDIES, "no", "", "../compare_fashion_mnist", "a\nb"))
        return Input(
            lambda: check_study(name, file),
            f"check_study({shown(name)}, a damaged results.json of {program})",
            [file.name, "is not a study"],
            unchanged=[file],
        )
    if kind == "pareto":
        return Input(
            lambda: pareto.main(["--from", str(file), "--output", str(folder / "out" / "new")]),
            f"training.pareto --from a damaged results.json of {program}",
            [file.name],
            unchanged=[file],
            output=folder / "out",
            program=True,
        )
    return Input(
        lambda: stored_results([file], program, TABLES[program]),
        f"stored_results of {program}, damaged",
        [file.name, "--from"],
        lambda text: text.startswith("| "),
        unchanged=[file],
    )


def costs(draw, material, folder):
    """The costs that `training.pareto` reads, damaged."""
    from training.pareto import read_costs

    form = {"milliseconds": 1.0, "lowest": 1.0, "highest": 1.0, "samples": []}
    row = {"architecture": "GMLP", "parameters": 1, "macs": 1, "float32": form, "int8": form}
    tree = {"program": "benchmarks.latency", "facts": {}, "results": [row]}
    file = folder / "costs.json"
    content = json.dumps(draw.damaged_tree(tree) if draw.chance(0.7) else tree).encode()
    file.write_bytes(draw.damaged(content) if draw.chance(0.3) else content)

    def check(found):
        assert all(each["float32"]["milliseconds"] > 0 for each in found.values())

    return Input(lambda: read_costs(file), "read_costs, damaged", [file.name], check)


ENTRY_POINTS = {
    "studies: command lines": (command_line, 150),
    "studies: results.json": (results, 60),
    "pareto: costs": (costs, 20),
}
