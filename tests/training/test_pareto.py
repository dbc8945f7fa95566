"""Accuracy against cost: which models are on the front, and what is drawn."""

import json
import xml.etree.ElementTree as ElementTree

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.path import Path

from keras_mlp import ARCHITECTURES
from training import pareto as program
from training.reports import pareto_picture
from training.reports.page_picture import INK, PAPER
from training.reports.pareto_picture import Point, draw_pareto, front
from training.studies.results import write_results

HARDWARE = {"cpu": "CPU", "cpu_features": [], "cores": 1, "gpus": []}
NAMES = ("MLPMixer", "GMLP", "examples.comparators:bit_resnet")


def run(name, seed, accuracy, parameters, minutes):
    return {
        "architecture": name,
        "seed": seed,
        "parameters": parameters,
        "images_seen": 1000,
        "test": {"accuracy": accuracy, "examples": 100},
        "wall_seconds": 60 * minutes,
        "date": "2026-11-27",
        "commit": "c",
        "backend": "tensorflow",
        "versions": {"tensorflow": "2", "keras": "3"},
        "hardware": HARDWARE,
    }


def cost(name, parameters, macs, float32, int8):
    def form(ms):
        return {"milliseconds": ms, "lowest": ms, "highest": ms, "samples": []}

    return {
        "architecture": name,
        "parameters": parameters,
        "macs": macs,
        "float32": form(float32),
        "int8": form(int8),
    }


@pytest.fixture
def files(tmp_path):
    runs = [
        run(NAMES[0], 0, 0.90, 1000, 5),
        run(NAMES[0], 1, 0.92, 1000, 7),
        run(NAMES[1], 0, 0.93, 2000, 4),
        run(NAMES[2], 0, 0.89, 1500, 9),
    ]
    write_results(tmp_path / "results.json", "training.compare", {}, runs)
    costs = [
        cost(NAMES[0], 1000, 10**6, 0.5, 0.1),
        cost(NAMES[1], 2000, 2 * 10**6, 0.4, 0.2),
        cost(NAMES[2], 1500, 3 * 10**6, 0.3, 0.2),
    ]
    (tmp_path / "costs.json").write_text(json.dumps({"results": costs}))
    return tmp_path


def texts(file):
    return {each.text for each in ElementTree.parse(file).iter() if each.text}


def test_the_front_holds_what_nothing_beats():
    def point(cost, accuracy):
        return Point(f"{cost}", cost, accuracy, accuracy, accuracy)

    points = [point(3, 0.8), point(1, 0.7), point(1, 0.6), point(2, 0.7), point(4, 0.9)]
    assert [(each.cost, each.accuracy) for each in front(points)] == [(1, 0.7), (3, 0.8), (4, 0.9)]


def test_every_cost_has_its_picture(files, capsys):
    options = ["--from", str(files / "results.json"), "--output", str(files / "out")]
    program.main([*options, "--costs", str(files / "costs.json")])
    drawn = {path.name: texts(path) for path in (files / "out").iterdir()}
    assert drawn.keys() == {f"pareto_{name}.svg" for name in program.AXES}
    for name, label in program.AXES.items():
        own = drawn[f"pareto_{name}.svg"]
        assert {label, "MLPMixer", "GMLP", "bit_resnet", "MLPs", "to compare with"} <= own
    printed = capsys.readouterr().out
    assert "| parameters | MLPMixer (91.00%), GMLP (93.00%) |" in printed
    assert "| minutes of training | GMLP (93.00%) |" in printed
    assert "| CPU ms per image, LiteRT float32 | bit_resnet (89.00%), GMLP (93.00%) |" in printed


def test_without_costs_two_pictures_are_drawn(files):
    output = files / "new" / "out"
    program.main(["--from", str(files / "results.json"), "--output", str(output)])
    assert {path.name for path in output.iterdir()} == {
        "pareto_parameters.svg",
        "pareto_minutes.svg",
    }


def test_a_picture_is_the_same_each_time_and_swaps_its_colours(tmp_path):
    points = [Point(f"model{number}", 10.0**number, 0.9, 0.89, 0.91) for number in range(3)]
    for name in ("a.svg", "b.svg"):
        draw_pareto(tmp_path / name, points, "MACs", "A & B")
    text = (tmp_path / "a.svg").read_text()
    assert text == (tmp_path / "b.svg").read_text()
    assert "A & B" in texts(tmp_path / "a.svg")
    for kind, color in (("fill", INK), ("fill", PAPER), ("stroke", INK)):
        assert f'[style*="{kind}: {color}"]' in text and f'style="{kind}: {color}' in text


def test_labels_of_near_points_do_not_overlap(tmp_path):
    points = [Point(f"model{number}", 100.0 + number, 0.9, 0.9, 0.9) for number in range(4)]
    draw_pareto(tmp_path / "near.svg", points, "MACs", "near")
    svg = "{http://www.w3.org/2000/svg}"
    places = [
        each.get("transform")
        for each in ElementTree.parse(tmp_path / "near.svg").iter(f"{svg}text")
        if each.text.startswith("model")
    ]
    assert len(set(places)) == 4


def test_labels_keep_clear_of_the_front_and_of_ranges(tmp_path, monkeypatch):
    figures = []
    monkeypatch.setattr(pareto_picture, "save_page_picture", lambda each, *_: figures.append(each))
    best = [Point("cheap", 1.0, 0.7, 0.7, 0.7), Point("good", 100.0, 0.9, 0.85, 0.95)]
    near = Point("near", 80.0, 0.86, 0.86, 0.86)  # its label fits beside the range of "good" only
    draw_pareto(tmp_path / "a.svg", [*best, near], "MACs", "a")
    (figure,) = figures
    renderer = FigureCanvasAgg(figure).get_renderer()
    figure.draw(renderer)
    axes = figure.axes[0]
    boxes = {each.get_text(): each.get_window_extent(renderer) for each in axes.texts}
    assert boxes.keys() == {"cheap", "good", "near"}
    lines = [((1, 0.7), (100, 0.7)), ((100, 0.7), (100, 0.9)), ((100, 0.85), (100, 0.95))]
    for line in lines:
        drawn = Path(axes.transData.transform(line))
        for label, box in boxes.items():
            assert not drawn.intersects_bbox(box), label


def test_the_architectures_to_compare_with_have_another_colour(files):
    runs = json.loads((files / "results.json").read_text())["runs"]
    runs += [run("ViT", 0, 0.9, 1000, 5)]
    found = {each.label: each.is_family for each in program.points(runs, "parameters")}
    assert found == {"MLPMixer": True, "GMLP": True, "bit_resnet": False, "ViT": False}
    assert set(program.NOT_MLPS) < set(ARCHITECTURES)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda run: run["results"].pop(), None),
        (lambda run: run["results"][0].update(parameters=999), "MLPMixer of 999 parameters; the"),
        (lambda run: run.pop("results"), "damaged: KeyError"),
    ],
)
def test_costs_must_be_of_the_same_models(files, change, message):
    run = json.loads((files / "costs.json").read_text())
    change(run)
    (files / "costs.json").write_text(json.dumps(run))
    options = ["--from", str(files / "results.json"), "--output", str(files / "out")]
    options += ["--costs", str(files / "costs.json")]
    if message:
        with pytest.raises(SystemExit, match=message):
            program.main(options)
        return
    program.main(options)  # a model without costs is left out
    assert "bit_resnet" not in texts(files / "out" / "pareto_macs.svg")


def test_a_file_of_another_program_is_refused(tmp_path):
    options = ["--from", "docs/results/fewshot_digits.json", "--output", str(tmp_path / "out")]
    with pytest.raises(SystemExit, match=r"is not a results\.json of training\.compare"):
        program.main(options)
    assert not (tmp_path / "out").exists()
