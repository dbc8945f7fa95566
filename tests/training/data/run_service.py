"""A tf.data service with two workers, in a process of its own.

Prints its address, and ends when its standard input closes.
"""

import sys

import tensorflow as tf


def main():
    service = tf.data.experimental.service
    dispatcher = service.DispatchServer()
    address = dispatcher.target.split("://")[1]
    workers = [
        service.WorkerServer(service.WorkerConfig(dispatcher_address=address)) for _ in range(2)
    ]
    print(dispatcher.target, flush=True)
    sys.stdin.read()
    del workers


if __name__ == "__main__":
    main()
