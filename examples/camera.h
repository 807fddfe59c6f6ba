/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CAMERA_H
#define CAMERA_H

#define FRAME  4000000L /* bytes */
#define FRAMES 60       /* a second's */

/* Look at all frames, and count copies. Writes a byte to @told once it is there. Return: 0 if all is well. */
int watch(const char *address, int told);

#endif
