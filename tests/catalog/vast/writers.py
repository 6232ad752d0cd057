"""A process that writes the same files as others at once, and prints the number of its outcomes."""

import json
import random
import sys
from concurrent.futures import ThreadPoolExecutor

from exr_inspector import open_catalog
from tests.support.exr_bytes import inspection, text


def files(count: int) -> list:
    """The same files in every process."""
    return [inspection(f"s3://renders/shared.{number:04}.exr", text("note", "x" * number)) for number in range(count)]


def main(arguments: list[str]) -> None:
    """`create URI`, or `persist URI FILES TIMES THREADS SEED`."""
    command, uri, *numbers = arguments
    with open_catalog(uri) as catalog:
        if command == "persist":
            count, times, threads, seed = map(int, numbers)
            order = files(count) * times
            random.Random(seed).shuffle(order)
            with ThreadPoolExecutor(threads) as pool:
                outcomes = [
                    outcome for found in pool.map(lambda one: catalog.persist([one]), order) for outcome in found
                ]
            print(json.dumps({"persisted": len(outcomes), "inserted": sum(o.inserted for o in outcomes)}))


if __name__ == "__main__":
    main(sys.argv[1:])
