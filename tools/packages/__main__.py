"""`make packages`: everything that an operator can install, in dist/."""

import sys

from tools.packages.deb import build_deb
from tools.packages.tree import ROOT

if __name__ == "__main__":
    sys.stdout.write(f"{build_deb(ROOT / 'dist')}\n")
