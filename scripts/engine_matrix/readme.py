"""The set-ups that README gives: they are what the engines run with here, so that they are tried."""

import os
import re

README = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))), "README.md")


def block(engine, language, runtime):
    """The block of code after the line that begins with **engine**, with the runtime's name in Coracle's place."""
    with open(README) as file:
        text = file.read()
    match = re.search(rf"^\*\*{re.escape(engine)}\*\*.*?^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    if not match:
        raise LookupError(f"README has no {language} block after **{engine}**")
    return match.group(1).replace("coracle", runtime)
