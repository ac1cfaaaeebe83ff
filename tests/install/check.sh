#!/usr/bin/env bash
# Installs the build into a folder of its own, builds the example against it with CMake and with pkg-config, and runs both.
# usage: check.sh BUILD_FOLDER
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
build=$(readlink -f "$1")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cmake --install "$build" --prefix "$work/installed" --component dicube >/dev/null
for notice in openjph/LICENSE openjpeg/LICENSE libjpeg-turbo/LICENSE.md libjpeg-turbo/README.ijg highway/LICENSE-BSD3; do
  [[ -s $work/installed/share/doc/dicube/licenses/$notice ]] || { echo "no notice $notice"; exit 1; }
done
"$build/bin/dicube_phantom" "$work/dicom" --slices 3 --size 32
"$work/installed/bin/dicube" pack -q "$work/dicom" -o "$work/scan.dcbs" >/dev/null
cmake -G Ninja -S "$here" -B "$work/cmake" -DCMAKE_PREFIX_PATH="$work/installed" >/dev/null
cmake --build "$work/cmake" >/dev/null
"$work/cmake/first_slice" "$work/scan.dcbs" | grep -q '3 frames, 6144 bytes'
internal=$(nm -DC --defined-only "$(find "$work/installed" -name libdicube.so)" | grep -vE ' dicube::(Archive|Column|PixelBuffer)::| dicube::[a-z_]+(\[abi:cxx11\])?\(| (typeinfo|typeinfo name|vtable) for dicube::' || true)
[[ -z $internal ]] || { echo "the library shows what is its own: $(head -3 <<<"$internal")"; exit 1; }
PKG_CONFIG_PATH=$(dirname "$(find "$work/installed" -name dicube.pc)")
export PKG_CONFIG_PATH
read -r -a flags < <(pkg-config --cflags --libs dicube)
c++ -std=c++20 "$here/../../examples/first_slice.cc" "${flags[@]}" -o "$work/by_pkg_config"
LD_LIBRARY_PATH=$(dirname "$PKG_CONFIG_PATH") "$work/by_pkg_config" "$work/scan.dcbs" | grep -q '3 frames, 6144 bytes'
echo "the installed library works with CMake and with pkg-config"
