"""What tests in a real browser need, and what of it is missing."""

import os
import pathlib
import shutil

from seqzoo.export.page import RUNTIME

ROOT = pathlib.Path(__file__).parents[1]
NODE_MODULES = pathlib.Path(os.environ.get("SEQZOO_NODE_MODULES", ROOT / "node_modules"))
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
MISSING = [
    text
    for text, is_there in (
        ("Chromium (Debian: apt-get install chromium)", CHROMIUM),
        (f"the LiteRT runtime (npm install {RUNTIME})", NODE_MODULES.is_dir()),
    )
    if not is_there
]
