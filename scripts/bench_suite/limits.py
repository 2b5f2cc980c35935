"""The smallest memory limit of a container with which it still starts."""

from . import bundles, sampling

PAGE = 4096
MOST = 64 << 20
TRIES = 3


def starts(runtime, bundle, size, name):
    bundle.change(bundles.limited(size))
    for turn in range(TRIES):
        if not sampling.quiet(runtime.run(bundle, f"{name}-{size}-{turn}")):
            if runtime.whole:
                sampling.quiet(runtime.command("delete", "--force", f"{name}-{size}-{turn}"))
            return False
    return True


def smallest(runtime, bundle):
    """KiB, to the page, by bisection: each limit that counts as enough was enough each of three times."""
    name = f"bench-limit-{runtime.name}"
    enough, little = 128 * 1024, 0
    try:
        while not starts(runtime, bundle, enough, name):
            enough, little = enough * 2, enough
            if enough > MOST:
                return None
        while enough - little > PAGE:
            middle = (enough + little) // 2 // PAGE * PAGE
            if starts(runtime, bundle, middle, name):
                enough = middle
            else:
                little = middle
        return enough // 1024
    finally:
        bundle.change(lambda config: None)
