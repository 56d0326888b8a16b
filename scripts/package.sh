#!/usr/bin/env bash
# package.sh: a Debian package and a tarball, to install f1 without building it.
#
#   scripts/package.sh [FOLDER]    builds in release; the default FOLDER is dist
#   sudo apt install ./dist/f1-policy_VERSION_ARCH.deb
#   tar -xf dist/f1-policy_VERSION_ARCH.tar.gz && f1-policy_VERSION_ARCH/bin/f1 demo
#
# Both hold the programs f1, f1_policy_node and f1_sim_node (CPU, the back ends mem and dds: no ROS
# needed), models, robot files, URDFs, RViz and launch files. The list is in f1_cli/Cargo.toml.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
mkdir -p "${1:-$root/dist}"
out=$(cd "${1:-$root/dist}" && pwd)
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$root/target}
cd "$root"

command -v dpkg-shlibdeps >/dev/null || {
  echo "package.sh: error: dpkg-shlibdeps is missing: apt-get install dpkg-dev" >&2
  exit 1
}
# Without MPI: the packages must not depend on a library that training alone needs. This also
# installs cargo where it is missing.
F1_BUILD=cpu F1_MPI=0 ./f1 build
PATH=$CARGO_TARGET_DIR/tools/bin:$PATH:$HOME/.cargo/bin
command -v cargo-deb >/dev/null \
  || cargo install --locked --quiet cargo-deb@3.8.0 --root "$CARGO_TARGET_DIR/tools"

deb=$(cargo deb --quiet --locked -p f1_cli --no-build --output "$out" | tail -n 1)
[[ -f $deb ]] || { echo "package.sh: error: cargo deb named no package" >&2; exit 1; }

# The tarball holds what the Debian package holds, below one folder instead of /usr.
name=$(basename "$deb" .deb)
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
dpkg-deb -x "$deb" "$stage"
mv "$stage/usr" "$stage/$name"
tar -C "$stage" --sort=name --owner=0 --group=0 --numeric-owner \
  --mtime="@$(git log -1 --format=%ct 2>/dev/null || date +%s)" \
  -czf "$out/$name.tar.gz" "$name"
printf '%s\n' "$deb" "$out/$name.tar.gz"
