"""Files that a command run as root makes in somebody else's folder belong to that folder's owner.

Otherwise one `sudo hupan …` would lock the service's own user out of its data.
"""

import os
from pathlib import Path


def give_to_owner(descriptor: int, folder: Path) -> None:
    """Hands an open file of root's to the owner of the folder that it lies in.

    Raises:
        OSError: the system refuses.
    """
    if os.geteuid() != 0 or os.fstat(descriptor).st_uid != 0:
        return
    owner = folder.stat()
    if owner.st_uid != 0:
        os.fchown(descriptor, owner.st_uid, owner.st_gid)
