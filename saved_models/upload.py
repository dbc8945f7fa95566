"""Uploads an artefact to Hugging Face."""

import pathlib
import re
import shutil
import tempfile

from keras_mlp.errors import first_line
from keras_mlp.whole_files import write_text
from saved_models import artefact
from saved_models.card import card
from saved_models.hub_card import hub_card
from saved_models.manifest import manifest_problems, read_manifest, replace_in_manifest

ADDRESS = re.compile(r"hf://([\w.-]+/[\w.-]+)")


def upload(path: str | pathlib.Path, address: str) -> str:
    """Uploads an artefact in one commit; its card gets the metadata that the hub reads.

    `VisionModel.from_preset(address)` then loads the model, and `saved_models.verify` accepts the
    downloaded folder. The repository is made, private, unless it is there. Its other files stay.

    Args:
        path: folder of the artefact.
        address: "hf://USER/REPO".

    Returns:
        The URL of the commit.

    Raises:
        ValueError: the artefact's files differ from its manifest, or the address has another form.
        ImportError: `huggingface_hub` is not installed.
        OSError: the hub cannot be reached, or refuses the upload.
    """
    match = ADDRESS.fullmatch(address)
    if match is None:
        raise ValueError(f"`--to` must be hf://USER/REPO, got {address!r}.")
    path = pathlib.Path(path)
    problems = manifest_problems(path)
    if problems:
        raise ValueError(f"{path} is damaged: {problems[0]}")
    metrics, name = artefact.read_metrics(path, card), read_manifest(path)["name"]
    try:
        import huggingface_hub
    except ImportError as error:
        raise ImportError(
            "huggingface_hub must be installed for `--to`: python -m pip install 'keras_mlp[hf]'"
        ) from error
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(shutil.copytree(path, pathlib.Path(temporary) / name))
        write_text(folder / artefact.CARD, hub_card(metrics))
        replace_in_manifest(folder, artefact.CARD)
        api = huggingface_hub.HfApi()
        try:
            api.create_repo(match[1], private=True, exist_ok=True)
            commit = api.upload_folder(
                repo_id=match[1], folder_path=folder, commit_message=f"Upload {name}"
            )
        except (OSError, ValueError, RuntimeError) as error:
            raise OSError(
                f"{address} could not be uploaded: {first_line(error)} Check your connection and "
                "that you are logged in (`hf auth login`) with a token that may write."
            ) from error
    return str(commit.commit_url)
