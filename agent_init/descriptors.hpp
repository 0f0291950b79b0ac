// Descriptors of this process.
#pragma once

// As many as it may have. Not for a program that it starts: some close every one up to the limit.
void allow_many_descriptors();

// No read or write of it waits from now on; false with errno.
bool make_non_blocking(int descriptor);
