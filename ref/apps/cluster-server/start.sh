#!/bin/sh
# SPDX-License-Identifier: MIT
# Builds the server where that is needed, and starts it in this folder, with the
# interceptors of the examples: http://127.0.0.1:8080/ answers with the request.
set -eu
here=$(cd -- "$(dirname -- "$0")" && pwd)
root=$here/../../..
build=${PLUMBLINE_BUILD:-$root/build}
folder=$build/ref/apps/cluster-server
[ -f "$build/build.ninja" ] || meson setup "$build" "$root" >&2
ninja -C "$build" ref/apps/cluster-server/plumb-cluster-server \
  ref/apps/cluster-server/10-deny.so ref/apps/cluster-server/20-slow.so \
  ref/apps/cluster-server/90-who.so >&2
mkdir -p "$folder/examples"
for name in 10-deny 20-slow 90-who; do
  cp "$folder/$name.so" "$folder/examples/"
done
cd -- "$here"
exec "$folder/plumb-cluster-server" --interceptors "$folder/examples" "$@"
