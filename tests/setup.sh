#!/bin/bash
# Installs what the tests need and this machine lacks: a browser with its driver, a container engine, a static busybox for images,
# an image of cwltool, the Python packages that the manifests' RDF is cross-checked with, the clients of other communities, and
# what speaks to the API and to accounts from outside. What cannot be installed is named, and the tests that need it say that
# they were left out.
set -euo pipefail

want_packages=()
command -v chromium >/dev/null || command -v google-chrome >/dev/null || want_packages+=(chromium)
command -v chromedriver >/dev/null || want_packages+=(chromium-driver)
command -v dockerd >/dev/null || want_packages+=(docker.io)
[ -x /bin/busybox ] || command -v busybox >/dev/null || want_packages+=(busybox-static)
command -v python3 >/dev/null || want_packages+=(python3)
command -v npm >/dev/null || want_packages+=(nodejs npm)
command -v debootstrap >/dev/null || want_packages+=(debootstrap)
python3 -c 'import pip' 2>/dev/null || want_packages+=(python3-pip)
python3 -c 'import venv, ensurepip' 2>/dev/null || want_packages+=(python3-venv)

if [ ${#want_packages[@]} -gt 0 ]; then
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "installing: ${want_packages[*]}"
    export DEBIAN_FRONTEND=noninteractive
    { apt-get update -qq && apt-get install -qq -y --no-install-recommends "${want_packages[@]}" >/dev/null; } ||
      echo "could not install: ${want_packages[*]}; tests that need them are left out" >&2
  else
    echo "missing for some tests, which are left out: ${want_packages[*]} (Debian's names; install them as root)" >&2
  fi
fi

if ! python3 -c 'import pyshacl, rdflib' 2>/dev/null; then
  echo "installing: pyshacl rdflib"
  # Debian marks its Python as managed by apt; a user's folder does not disturb it.
  python3 -m pip install --quiet --user pyshacl rdflib 2>/dev/null ||
    python3 -m pip install --quiet --user --break-system-packages pyshacl rdflib ||
    echo "could not install pyshacl and rdflib; the cross-check of shapes is left out" >&2
fi

# The clients of other communities live in a folder of their own, so that what they depend on disturbs nothing else.
clients=${ALIDADE_TEST_CLIENTS:-$HOME/.cache/alidade-tests}
python_clients=(rdflib pyshacl sickle signposting extruct rocrate pyvo datacite bibtexparser cffconvert trs-cli 'pydantic<2' lxml requests)
if ! PYTHONPATH=$clients/python python3 -c 'import rdflib, pyshacl, sickle, signposting, extruct, rocrate, pyvo, trs_cli' 2>/dev/null; then
  echo "installing: ${python_clients[*]}"
  python3 -m pip install --quiet --upgrade --target "$clients/python" "${python_clients[@]}" 2>/dev/null ||
    echo "could not install: ${python_clients[*]}; tests that need them are left out" >&2
fi
# The schemas of Kubernetes need a newer jsonschema than a client beside them takes.
if ! PYTHONPATH=$clients/kubernetes python3 -c 'import kubernetes_validate' 2>/dev/null; then
  echo "installing: kubernetes-validate"
  python3 -m pip install --quiet --upgrade --target "$clients/kubernetes" kubernetes-validate 2>/dev/null ||
    echo "could not install kubernetes-validate; objects for Kubernetes are not held against its schemas" >&2
fi
if [ ! -x "$clients/node/node_modules/.bin/ldes-client" ]; then
  if command -v npm >/dev/null; then
    echo "installing: ldes-client"
    npm install --silent --no-audit --no-fund --prefix "$clients/node" ldes-client@0.3.0 >/dev/null 2>&1 ||
      echo "could not install: ldes-client; the event stream is not followed by it" >&2
  else
    echo "missing for one test, which is left out: npm, for ldes-client" >&2
  fi
fi

if ! python3 -c 'import SPARQLWrapper' 2>/dev/null; then
  echo "installing: SPARQLWrapper"
  python3 -m pip install --quiet --user SPARQLWrapper 2>/dev/null ||
    python3 -m pip install --quiet --user --break-system-packages SPARQLWrapper ||
    echo "could not install SPARQLWrapper; its test is left out" >&2
fi

# Comunica has a hundred packages: it is installed once, beside nobody's else.
comunica="${COMUNICA_FOLDER:-$HOME/.cache/alidade-tests/comunica}"
if command -v npm >/dev/null && [ ! -d "$comunica/node_modules/@comunica/query-sparql" ]; then
  echo "installing: @comunica/query-sparql"
  mkdir -p "$comunica"
  (cd "$comunica" && npm install --no-audit --no-fund --silent @comunica/query-sparql@4) ||
    echo "could not install @comunica/query-sparql; its test is left out" >&2
fi

# The API is asked by its own document (schemathesis), people sign in through a certified identity provider (oidc-provider).
# Both lie in a folder of their own, which ALIDADE_TEST_TOOLS names.
tools=${ALIDADE_TEST_TOOLS:-$HOME/.cache/alidade-tests/people}
mkdir -p "$tools"
if [ ! -x "$tools/python/bin/schemathesis" ]; then
  echo "installing: schemathesis"
  { python3 -m venv "$tools/python" && "$tools/python/bin/pip" install --quiet 'schemathesis>=4.32,<5'; } ||
    echo "could not install schemathesis; the API is not asked by its document" >&2
fi
if [ ! -f "$tools/node_modules/axe-core/package.json" ] || [ ! -f "$tools/node_modules/puppeteer-core/package.json" ]; then
  echo "installing: axe-core puppeteer-core"
  npm install --silent --no-audit --no-fund --prefix "$tools" axe-core@4 puppeteer-core@24 >/dev/null ||
    echo "could not install axe-core and puppeteer-core; pages are not held against WCAG" >&2
fi
if [ ! -f "$tools/node_modules/oidc-provider/package.json" ]; then
  echo "installing: oidc-provider"
  npm install --silent --no-audit --no-fund --prefix "$tools" oidc-provider@9 >/dev/null ||
    echo "could not install oidc-provider; signing in through a certified provider is left out" >&2
fi

# Pipelines are run by the real cwltool, in an image of a small Debian (or whatever this machine is), without a registry.
cwltool=${ALIDADE_TEST_CWLTOOL:-$HOME/.cache/alidade-tests/cwltool.tar}
make_cwltool_image() (
  root=$(mktemp -d)
  trap 'rm -rf "$root"' EXIT
  suite=$(. /etc/os-release && echo "$VERSION_CODENAME")
  debootstrap --variant=minbase --include=python3 "$suite" "$root" >"$root.log" 2>&1 || { tail -n 3 "$root.log" >&2; exit 1; }
  rm -rf "$root.log" "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* "$root"/usr/share/{doc,locale,man,info} "$root"/dev/*
  version=$(chroot "$root" python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')
  machine=$(uname -m)
  # Only wheels, for the image's Python: nothing is compiled, and nothing is fetched from inside.
  python3 -m pip install --quiet --no-compile --target "$root/opt/cwltool" --only-binary=:all: --implementation cp \
    --python-version "$version" --platform "manylinux2014_$machine" --platform "manylinux_2_28_$machine" cwltool 2>"$root.log" ||
    { cat "$root.log" >&2; exit 1; }
  rm -f "$root.log"
  chroot "$root" python3 -m compileall -q /opt/cwltool || true
  # Not `-m cwltool`, which ends with 0 whatever became of the workflow.
  printf '#!/bin/sh\nPYTHONPATH=/opt/cwltool exec python3 /opt/cwltool/bin/cwltool "$@"\n' >"$root/usr/local/bin/cwltool"
  chmod 755 "$root" "$root/usr/local/bin/cwltool"
  mkdir -p "$(dirname "$cwltool")" && tar -C "$root" -cf "$cwltool.new" . && mv "$cwltool.new" "$cwltool"
)
if [ ! -f "$cwltool" ]; then
  if [ "$(id -u)" = 0 ] && command -v debootstrap >/dev/null; then
    echo "making: an image of cwltool"
    make_cwltool_image || echo "could not make an image of cwltool; the test that runs it is left out" >&2
  else
    echo "missing for one test, which is left out: debootstrap, as root, for an image of cwltool" >&2
  fi
fi

if ! "${CARGO:-cargo}" nextest --version >/dev/null 2>&1; then
  echo "cargo-nextest is not installed, so cargo test runs instead; for a faster run: cargo install --locked cargo-nextest"
fi
