"""A PATH that lacks some programs."""
import os


def without(directory, *names):
    """One that has everything of /usr/bin but these; `directory` is made for it, and has room for others in their place."""
    directory.mkdir()
    for source in ("/bin", "/usr/bin"):
        for name in os.listdir(source):
            if name not in names and not (directory / name).is_symlink():
                (directory / name).symlink_to(os.path.join(source, name))
    return str(directory)
