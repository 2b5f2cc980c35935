# What the scripts share; sourced by them, with bash.

# The lines of skipped checks, which scripts/test counts at its end.
SKIPS=$(mktemp)

die() {
    echo "$(basename "$0"): $*" >&2
    exit 1
}

note_skip() {
    echo "SKIP $1: $2" | tee -a "$SKIPS"
}

# need_packages COMMAND:PACKAGE...: installs the packages whose command is missing, where apt-get is at hand.
need_packages() {
    local pair missing=()
    for pair in "$@"; do
        command -v "${pair%%:*}" >/dev/null || missing+=("${pair#*:}")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    command -v apt-get >/dev/null || die "please install: ${missing[*]}"
    echo "installing ${missing[*]}"
    local sudo=
    [ "$(id -u)" = 0 ] || sudo=sudo
    export DEBIAN_FRONTEND=noninteractive
    $sudo apt-get install -y -q "${missing[@]}" >/dev/null 2>&1 ||
        { $sudo apt-get update -q >/dev/null && $sudo apt-get install -y -q "${missing[@]}" >/dev/null; } ||
        die "cannot install ${missing[*]}"
}

# need_rust: a cargo that can build this crate, by rustup where there is none.
need_rust() {
    # cargo links build scripts and macros for the machine itself with its cc; the runtime needs none.
    need_packages cc:gcc
    compgen -G '/usr/lib*/crt1.o' >/dev/null || compgen -G '/usr/lib/*/crt1.o' >/dev/null ||
        need_packages no-such-command:libc6-dev
    if ! command -v cargo >/dev/null && [ -x "$HOME/.cargo/bin/cargo" ]; then
        PATH="$HOME/.cargo/bin:$PATH"
    fi
    if ! command -v cargo >/dev/null; then
        need_packages curl:curl
        [ -d /etc/ssl/certs ] && [ -n "$(ls -A /etc/ssl/certs)" ] || need_packages no-such-command:ca-certificates
        curl -sSf https://sh.rustup.rs | sh -s -- -y -q --profile minimal --default-toolchain none
        PATH="$HOME/.cargo/bin:$PATH"
    fi
    command -v cargo >/dev/null || die "no cargo: see https://rustup.rs"
    if command -v rustup >/dev/null; then
        local channel
        channel=$(sed -n 's/^channel *= *"\(.*\)"/\1/p' rust-toolchain.toml)
        # Named here, so that the list of targets in rust-toolchain.toml is a wish and no condition.
        rustup run "$channel" cargo --version >/dev/null 2>&1 ||
            rustup toolchain install "$channel" --profile minimal -c rustfmt -c clippy --no-self-update ||
            die "no Rust $channel"
        export RUSTUP_TOOLCHAIN="$channel"
    fi
    cargo --version
}

# host_target: the musl target of this machine.
host_target() {
    case "$(uname -m)" in
        x86_64) echo x86_64-unknown-linux-musl ;;
        aarch64) echo aarch64-unknown-linux-musl ;;
        armv7l) echo armv7-unknown-linux-musleabihf ;;
        riscv64) echo riscv64gc-unknown-linux-musl ;;
        *) die "no musl target is known for $(uname -m)" ;;
    esac
}

# need_target TARGET: succeeds when the standard library of the target is there, or can be had.
need_target() {
    [ -d "$(rustc --print sysroot)/lib/rustlib/$1/lib" ] && return 0
    command -v rustup >/dev/null || return 1
    timeout 300 rustup target add "$1" >/dev/null 2>&1
}

# make_rootfs DIR: a root filesystem of busybox.
make_rootfs() {
    local busybox applet
    busybox=$(command -v busybox)
    mkdir -p "$1"/{bin,proc,sys,dev,etc,tmp,root}
    cp "$busybox" "$1/bin/busybox"
    for applet in $("$busybox" --list); do
        [ "$applet" = busybox ] || ln -sf busybox "$1/bin/$applet"
    done
    echo 'root:x:0:0:root:/root:/bin/sh' > "$1/etc/passwd"
    echo 'root:x:0:' > "$1/etc/group"
}
