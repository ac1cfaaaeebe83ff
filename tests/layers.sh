#!/usr/bin/env bash
# Sources include only the layers that src/CMakeLists.txt names for theirs, and public headers nothing else but the
# standard library and tl::expected. The lane codec and its tests know no other codec: tests/lane_alone has none.
set -euo pipefail
cd "$(dirname "$0")/../src"

declare -A sees=() # of a layer: itself, and all that those which it names see
while read -r layer named; do
  sees[$layer]=" $layer"
  for other in $named; do sees[$layer]+=${sees[$other]}; done
done < <(sed -n 's/^dicube_layer(\([a-z]*\)\(.*\))$/\1 \2/p' CMakeLists.txt | sed 's/PRIVATE.*//; s/[A-Za-z0-9_]*:://g' |
  awk '{printf "%s", $1; for (i = 2; i <= NF; ++i) if (sub(/^dicube_/, "", $i)) printf " %s", $i; print ""}')
((${#sees[@]} == 9)) || { echo "nine layers expected, not ${!sees[*]}"; exit 1; }

status=0
for layer in "${!sees[@]}"; do
  allowed=$(tr ' ' '\n' <<<"${sees[$layer]} dicube" | sort -u | paste -sd '|')
  ! grep -rnE '^#include "' "$layer" | grep -vE "#include \"(${allowed#|})/" || status=1
done
! grep -nE '^#include' ../include/dicube/*.h | grep -vE '#include (<[a-z_]+>|<tl/expected.hpp>|"dicube/[a-z_]+\.h")$' || status=1
! grep -nwE 'Workspace|check_stream' codec/lane*.{cc,h} || status=1
exit $status
