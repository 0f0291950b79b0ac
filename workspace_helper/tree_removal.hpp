// Removing a tree, whatever its owner does to it meanwhile.
#pragma once

// The directory with all that is in it; none is a success. Follows no symbolic link and stays on
// its file system, however deep it is; one that is cut off is gone on with by the next. 0, or the
// errno of what could not be removed.
int remove_tree(const char* root);
