#!/bin/sh
# SPDX-License-Identifier: MIT
# Builds the mock service where that is needed, and starts it in this folder:
# http://127.0.0.1:8080/ answers with data/user.json.
set -eu
here=$(cd -- "$(dirname -- "$0")" && pwd)
root=$here/../../..
build=${PLUMBLINE_BUILD:-$root/build}
[ -f "$build/build.ninja" ] || meson setup "$build" "$root" >&2
ninja -C "$build" ref/apps/mock-service/plumb-mock-service >&2
cd -- "$here"
exec "$build/ref/apps/mock-service/plumb-mock-service" "$@"
