#!/usr/bin/env bash
# Installs what the tests in this folder use: Debian's skopeo, docker-registry and busybox-static. Where that cannot be
# done, it says why, also in the file REASON, and the tests are skipped with that reason.
# usage: install.sh REASON
set -u
reason=$1
wanted=(skopeo docker-registry busybox)
packages=(skopeo docker-registry busybox-static)

missing() {
  local found=()
  for program in "${wanted[@]}"; do command -v "$program" > /dev/null || found+=("$program"); done
  echo "${found[*]}"
}

give_up() {
  echo "$1" > "$reason"
  echo "tests with a real registry will be skipped: $1"
  exit 0
}

install() {
  DEBIAN_FRONTEND=noninteractive timeout 300 apt-get install -y -qq --no-install-recommends "${packages[@]}" 2>&1
}

rm -f "$reason"
[ -z "$(missing)" ] && exit 0
absent=$(missing)
command -v apt-get > /dev/null || give_up "$absent: not here, and there is no apt-get to install them with"
[ "$(id -u)" = 0 ] || give_up "$absent: not here, and only root may install them"
echo "installing ${packages[*]}"
said=$(install) || said=$(timeout 300 apt-get update -qq 2>&1 && install) || true
[ -z "$(missing)" ] || give_up "$(missing): apt-get could not install them: $(tail -n 1 <<< "$said")"
