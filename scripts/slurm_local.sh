#!/usr/bin/env bash
# A whole SLURM on one machine, for tests: munge, slurmctld and two slurmd, started by hand as root,
# without systemd and cgroups.
set -euo pipefail

usage() {
    cat <<'HELP'
usage: slurm_local.sh [--folder DIR] [--accounting] [--install] COMMAND

A SLURM of two nodes (n1, n2), each half of this machine, for tests. Needs root; no systemd, no cgroups.

commands:
  start        start whatever does not run yet and wait until both nodes are idle; prints the line to
               source so that sbatch and squeue find it: export SLURM_CONF=...
  stop         cancel all jobs and stop every daemon that was started in DIR
  status       list nodes and jobs; exit status 0 if it answers, 1 if not
  crash NODE   kill a node's slurmd and everything it runs, as a power cut would; `start` brings it back

options:
  --folder DIR   where configuration, logs and state are kept (${TMPDIR:-/tmp}/assay-slurm)
  --accounting   with slurmdbd and MariaDB, so that sacct knows what became of jobs
  --install      first install the Debian packages that are missing (apt-get)
  --help         this text

packages: slurmctld slurmd slurm-client munge, with --accounting also slurmdbd mariadb-server
HELP
}

fail() {
    echo "slurm_local.sh: error: $*" >&2
    exit 1
}

folder=${TMPDIR:-/tmp}/assay-slurm accounting= install= command= node=
while [ $# -gt 0 ]; do
    case $1 in
        --folder) folder=${2:?--folder needs a folder}; shift ;;
        --accounting) accounting=yes ;;
        --install) install=yes ;;
        --help | -h) usage; exit 0 ;;
        start | stop | status) command=$1 ;;
        crash) command=$1; node=${2:?crash needs a node: n1 or n2}; shift ;;
        *) usage >&2; exit 2 ;;
    esac
    shift
done
[ -n "$command" ] || { usage >&2; exit 2; }
case $folder in /*) ;; *) folder=$PWD/$folder ;; esac
export SLURM_CONF=$folder/slurm.conf PATH=$PATH:/usr/sbin:/sbin
# A job that was started inside another one's environment would take its options.
unset "${!SBATCH_@}" "${!SLURM_JOB@}" "${!SRUN_@}"

# The pid in a file if that process is still the named program; otherwise nothing.
alive() { # alive NAME PROGRAM
    local pid
    pid=$(cat "$folder/$1.pid" 2>/dev/null) || return 1
    [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = "$2" ] && echo "$pid"
}

halt() { # halt NAME PROGRAM
    local pid
    pid=$(alive "$1" "$2") || return 0
    kill "$pid" 2>/dev/null || true
    for _ in $(seq 100); do
        alive "$1" "$2" >/dev/null || return 0
        sleep 0.1
    done
    kill -9 "$pid" 2>/dev/null || true
}

wait_for() { # wait_for WHAT COMMAND...
    local what=$1 deadline=$((SECONDS + 30))
    shift
    while [ $SECONDS -lt $deadline ]; do
        "$@" >/dev/null 2>&1 && return 0
        sleep 0.1
    done
    fail "$what did not come up in 30 seconds; see the logs in $folder"
}

packages() {
    local wanted=(slurmctld slurmd slurm-client munge) missing=() name
    [ -z "$accounting" ] || wanted+=(slurmdbd mariadb-server)
    for name in "${wanted[@]}"; do
        dpkg-query -W -f '${Status}' "$name" 2>/dev/null | grep -q "ok installed" || missing+=("$name")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    [ -n "$install" ] || fail "missing packages: ${missing[*]}; install them, or give --install"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

configure() {
    local host half
    host=$(uname -n)
    half="CPUs=$((($(nproc) + 1) / 2)) RealMemory=$(awk '/^MemTotal/ {print int($2 / 1024 * 0.45)}' /proc/meminfo)"
    cat >"$SLURM_CONF" <<CONF
ClusterName=local
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=17017
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
# Credentials that expire soon: a requeued job waits that long before it may start again.
AuthInfo=socket=$folder/munge/socket,cred_expire=5
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/$([ -n "$accounting" ] && echo slurmdbd || echo none)
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
KillWait=5
SlurmdTimeout=15
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool-%n
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd-%n.pid
SlurmctldLogFile=$folder/slurmctld.log
SlurmdLogFile=$folder/slurmd-%n.log
NodeName=n1 NodeHostname=$host NodeAddr=127.0.0.1 Port=17001 $half State=UNKNOWN
NodeName=n2 NodeHostname=$host NodeAddr=127.0.0.1 Port=17002 $half State=UNKNOWN
PartitionName=debug Nodes=ALL Default=YES MaxTime=INFINITE State=UP
CONF
    if [ -n "$accounting" ]; then
        echo "AccountingStorageHost=127.0.0.1
AccountingStoragePort=17019
AccountingStoragePass=$folder/munge/socket" >>"$SLURM_CONF"
    fi
}

start_munge() {
    ! alive munged munged >/dev/null || return 0
    mkdir -p "$folder/munge"
    chmod 755 "$folder/munge"
    [ -s "$folder/munge/key" ] || (umask 077 && head -c 1024 /dev/urandom >"$folder/munge/key")
    rm -f "$folder/munge/socket"*
    # It refuses a folder that only root may enter, unless forced; then only root's jobs can be started.
    munged --force --socket="$folder/munge/socket" --key-file="$folder/munge/key" \
        --pid-file="$folder/munged.pid" --log-file="$folder/munge/log" --seed-file="$folder/munge/seed" \
        2>>"$folder/munged.log"
    wait_for munge munge --socket="$folder/munge/socket" --no-input
}

start_accounting() {
    local password
    if ! alive mariadbd mariadbd >/dev/null; then
        if [ ! -d "$folder/mysql/mysql" ]; then
            mariadb-install-db --no-defaults --user=root --datadir="$folder/mysql" --skip-test-db \
                >"$folder/mysql.log" 2>&1
        fi
        mariadbd --no-defaults --user=root --datadir="$folder/mysql" --socket="$folder/mysql/socket" \
            --pid-file="$folder/mysql/pid" --bind-address=127.0.0.1 --port=17306 >>"$folder/mysql.log" 2>&1 &
        echo $! >"$folder/mariadbd.pid"
        wait_for mariadbd mariadb-admin --no-defaults --socket="$folder/mysql/socket" ping
    fi
    ! alive slurmdbd slurmdbd >/dev/null || return 0
    password=$(head -c 18 /dev/urandom | base64 | tr -d '/+')
    mariadb --no-defaults --socket="$folder/mysql/socket" <<SQL
CREATE USER IF NOT EXISTS slurm@'127.0.0.1';
ALTER USER slurm@'127.0.0.1' IDENTIFIED BY '$password';
GRANT ALL ON slurm.* TO slurm@'127.0.0.1';
SQL
    (umask 077 && cat >"$folder/slurmdbd.conf") <<CONF
AuthType=auth/munge
AuthInfo=socket=$folder/munge/socket
DbdHost=localhost
DbdPort=17019
SlurmUser=root
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort=17306
StorageUser=slurm
StoragePass=$password
StorageLoc=slurm
PidFile=$folder/slurmdbd.pid
LogFile=$folder/slurmdbd.log
CONF
    slurmdbd
    wait_for slurmdbd sacctmgr --noheader list cluster
    sacctmgr --noheader list cluster format=cluster | grep -qw local ||
        sacctmgr --immediate --quiet add cluster local >/dev/null
}

# Both nodes answer the controller; `scontrol ping` alone would say so before they registered.
nodes_up() {
    [ "$(sinfo --noheader --Node --format='%N %t' | grep -cE '^n[12] (idle|mix|alloc)$')" = 2 ]
}

start() {
    [ "$(id -u)" = 0 ] || fail "it starts slurmd for other users' jobs and so must be root"
    packages
    mkdir -p "$folder/state" "$folder/spool-n1" "$folder/spool-n2"
    chmod 755 "$folder"
    if alive slurmctld slurmctld >/dev/null; then
        # The daemons read the configuration when they start, so the running one is kept.
        [ -z "$accounting" ] || grep -q accounting_storage/slurmdbd "$SLURM_CONF" ||
            fail "it runs without accounting; stop it first"
    else
        configure
    fi
    start_munge
    [ -z "$accounting" ] || start_accounting
    alive slurmctld slurmctld >/dev/null || slurmctld
    for name in n1 n2; do
        alive "slurmd-$name" slurmd >/dev/null || slurmd -N "$name"
    done
    wait_for SLURM nodes_up
    echo "export SLURM_CONF=$SLURM_CONF"
}

stop() {
    if alive slurmctld slurmctld >/dev/null; then
        scancel --user="$(id -un)" 2>/dev/null || true
        for _ in $(seq 100); do
            [ -n "$(squeue --noheader 2>/dev/null)" ] || break
            sleep 0.1
        done
    fi
    for name in n1 n2; do halt "slurmd-$name" slurmd; done
    halt slurmctld slurmctld
    halt slurmdbd slurmdbd
    halt mariadbd mariadbd
    halt munged munged
}

status() {
    alive slurmctld slurmctld >/dev/null || { echo "SLURM does not run in $folder"; exit 1; }
    sinfo --Node --format='%N %t' && squeue
}

# Kill whatever runs on a node: processes carry its name in their environment, and each step has a
# slurmstepd above them.
crash() {
    local pid parent doomed=()
    alive "slurmd-$node" slurmd >/dev/null || fail "no node $node runs in $folder"
    kill -9 "$(alive "slurmd-$node" slurmd)"
    for pid in $(grep -lzxs "SLURMD_NODENAME=$node" /proc/[0-9]*/environ | cut -d/ -f3); do
        grep -qzxs "SLURM_CONF=$SLURM_CONF" "/proc/$pid/environ" || continue
        doomed+=("$pid")
        parent=$(awk '/^PPid/ {print $2}' "/proc/$pid/status" 2>/dev/null) || continue
        [ "$(cat "/proc/$parent/comm" 2>/dev/null)" != slurmstepd ] || doomed+=("$parent")
    done
    [ ${#doomed[@]} = 0 ] || kill -9 "${doomed[@]}" 2>/dev/null || true
}

"$command"
