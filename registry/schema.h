/* schema.h - schema.sql, embedded by CMake. */
#ifndef EV_REGISTRY_SCHEMA_H
#define EV_REGISTRY_SCHEMA_H

extern const char registry_schema[];

#endif
