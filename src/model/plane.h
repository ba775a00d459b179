/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MODEL_PLANE_H
#define MODEL_PLANE_H

enum plane {
	PLANE_GUEST, /* what the guest declared */
	PLANE_HOST,  /* what KVM's memory attributes say */
	PLANES,
};

#endif
