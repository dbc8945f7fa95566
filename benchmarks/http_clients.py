"""Clients for Locust: each sends a picture again and again, and waits for every answer.

`benchmarks.http_serving` starts them; PICTURE in the environment is the path of the file.
"""

import os
import pathlib

from locust import HttpUser, task

PICTURE = pathlib.Path(os.environ["PICTURE"]).read_bytes()


class Client(HttpUser):
    """One client, who asks its next question when it has the last answer."""

    @task
    def classify(self) -> None:
        """Sends the picture."""
        self.client.post("/predict", files={"picture": PICTURE})
