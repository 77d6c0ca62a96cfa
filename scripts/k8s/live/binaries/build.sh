#!/usr/bin/env bash
# Builds, once and outside the checkout, the programs of the test cluster out of their Go modules; prints their folder.
#   build.sh         etcd, Kubernetes, kubectl, helm: about 490 s of processor time and 2.6 GB of memory the first time
#   build.sh scale   KEDA and kwok, for the test of scaling
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
kubernetes=v1.35.4
helm=v3.20.2
keda=v2.21.0
kwok=v0.8.0

tools="${MINESEAL_CACHE:-$HOME/.cache/mineseal}/tools/cluster"
mkdir -p "$tools"
say() { printf '[cluster] %s\n' "$*" >&2; }

if [ "${1:-}" = scale ]; then
  bin="$tools/scale-$keda-$kwok"
else
  stamp=$(cat "$here"/go.mod "$here"/go.sum "$here"/main.go "$here"/pause/pause.c | sha256sum | cut -c1-16)
  bin="$tools/kubernetes-$kubernetes-helm-$helm-$stamp"
fi
done_already() {
  [ -x "$bin/.done" ] || return 1
  echo "$bin"
}
if done_already; then exit 0; fi

exec 9>"$tools/lock"
flock 9
# Somebody else may have built it meanwhile.
if done_already; then exit 0; fi

go=$("$here/../../../go.sh" "$tools")
PATH="$go:$PATH"

building=$(mktemp -d "$tools/building.XXXXXX")
trap 'rm -rf "$building"' EXIT
finish() {
  touch "$building/.done"
  chmod 755 "$building" "$building/.done"
  mv "$building" "$bin"
  echo "$bin"
}

# Not inlined, they compile in three quarters of the time; how fast they run is of no interest.
export CGO_ENABLED=0 GOGC=400 GOFLAGS="-trimpath -buildvcs=false -gcflags=all=-l -mod=readonly"

if [ "${1:-}" = scale ]; then
  # KEDA replaces modules, which `go install` refuses: it is built in a copy of its module.
  say "fetching KEDA $keda and kwok $kwok"
  folder() { (cd / && go mod download -json "$1") | sed -n 's/.*"Dir": "\(.*\)".*/\1/p'; }
  source=$(mktemp -d "$tools/source.XXXXXX")
  trap 'rm -rf "$building" "$source"' EXIT
  cp -r "$(folder "github.com/kedacore/keda/v2@$keda")"/. "$source"
  chmod -R u+w "$source"
  cp -r "$source/config/crd/bases" "$building/keda-definitions"
  cp -r "$(folder "sigs.k8s.io/kwok@$kwok")/kustomize/stage" "$building/kwok-stages"
  chmod -R u+w "$building"
  say "building KEDA; minutes"
  (cd "$source" && go build -ldflags "-s -w" -o "$building/keda-operator" ./cmd/operator >&2)
  (cd "$source" && go build -ldflags "-s -w" -o "$building/keda-adapter" ./cmd/adapter >&2)
  say "building kwok"
  (cd / && GOBIN="$building" go install -ldflags "-s -w" "sigs.k8s.io/kwok/cmd/kwok@$kwok" >&2)
  finish
  exit 0
fi

cd "$here"
minor=${kubernetes#v1.}
minor=${minor%%.*}

say "fetching modules"
go mod download >&2
say "building etcd, Kubernetes $kubernetes and kubectl; minutes"
version="-X k8s.io/component-base/version"
go build -ldflags "-s -w $version.gitVersion=$kubernetes $version.gitMajor=1 $version.gitMinor=$minor \
  $version.gitTreeState=clean" -o "$building/kubernetes" . >&2
for name in etcd kube-apiserver kube-controller-manager kube-scheduler kubelet kube-proxy kubectl; do
  ln -s kubernetes "$building/$name"
done
say "building helm $helm"
package="helm.sh/helm/v3"
# Without these helm takes the cluster for 1.20 when it renders alone, and refuses the chart's kubeVersion.
go build -ldflags "-s -w -X $package/internal/version.version=$helm \
  -X $package/pkg/chartutil.k8sVersionMajor=1 -X $package/pkg/chartutil.k8sVersionMinor=$minor \
  -X $package/pkg/lint/rules.k8sVersionMajor=1 -X $package/pkg/lint/rules.k8sVersionMinor=$minor" \
  -o "$building/helm" "$package/cmd/helm" >&2
# What holds a pod's namespaces open.
cc -O2 -static -s -o "$building/pause" pause/pause.c
finish
