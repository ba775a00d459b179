/* SPDX-License-Identifier: GPL-2.0-only */
/* A message of the kernel's, of any bytes: always one of the kinds there are. */
#include <stdlib.h>
#include <string.h>

#include "capture/uevent.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	char *message = malloc(size + 1); /* its own, so that reading past its end shows */
	struct uevent event = {.kind = UEVENT_DEVICE, .pid = 1};

	if (!message)
		abort();
	memcpy(message, data, size);
	message = realloc(message, size ? size : 1);
	uevent_parse(&event, message, size);
	if ((unsigned int)event.kind > UEVENT_DEVICE)
		abort();
	free(message);
	return 0;
}
