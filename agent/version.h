/* version.h - this program's version. */
#ifndef WEIR_AGENT_VERSION_H
#define WEIR_AGENT_VERSION_H

#define VERSION "0.1.0"

#endif
