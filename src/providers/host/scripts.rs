//! The POSIX shell scripts behind the file verbs. They are constants: what differs comes as arguments, so that no name or
//! content is ever part of a script's text, and the sandbox can recognise each and run the very same one.
//!
//! Every script is called as `sh -c TEXT NAME PATH …`: the path is always the first argument.

/// A script with the name under which errors mention it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Script {
    pub name: &'static str,
    pub text: &'static str,
    /// Whether it changes anything.
    pub writes: bool,
}

/// What the scripts say by their exit status, besides 0.
pub mod status {
    /// The path does not exist.
    pub const ABSENT: i32 = 44;
    /// Something else than a file (or a directory, when listing) stands there.
    pub const WRONG_TYPE: i32 = 45;
    /// Fewer bytes arrived than were sent: nothing was put in place.
    pub const CUT_SHORT: i32 = 46;
    /// The directory that should hold the file does not exist.
    pub const NO_DIRECTORY: i32 = 47;
}

/// PATH PREFIX: a tar stream of the directory with everything below it; with a prefix, only its entries of such names.
/// One `tar` for all: a thousand files cost one process, and names and contents are framed without doubt.
pub const LIST: Script = Script {
    name: "list",
    writes: false,
    text: r#"set -u
[ -e "$1" ] || exit 44
[ -d "$1" ] || exit 45
cd "$1" || exit 1
[ -n "$2" ] || exec tar -cf - .
prefix=$2
set -- "$prefix"*
[ -e "$1" ] || [ -L "$1" ] || exit 0
exec tar -cf - -- "$@"
"#,
};

/// PATH: a tar stream with the one file (through a symbolic link).
pub const READ: Script = Script {
    name: "read",
    writes: false,
    text: r#"set -u
[ -e "$1" ] || exit 44
[ -f "$1" ] || exit 45
cd "${1%/*}/" || exit 1
exec tar -chf - -- "${1##*/}"
"#,
};

/// PATH MODE LENGTH: the file from standard input, whole or not at all. The temporary name has no ending that Traefik or
/// systemd reads, and is always the same, so that a crash leaves at most one, which the next put replaces.
pub const PUT: Script = Script {
    name: "put",
    writes: true,
    text: r#"set -eu
dir=${1%/*}
[ -d "$dir/" ] || exit 47
[ ! -d "$1" ] || exit 45
new="$dir/.${1##*/}.trueup-new"
umask 077
rm -f -- "$new"
cat > "$new"
[ "$(wc -c < "$new")" -eq "$3" ] || { rm -f -- "$new"; exit 46; }
chmod -- "$2" "$new"
sync -- "$new"
mv -f -- "$new" "$1"
sync -- "$dir/"
"#,
};

/// PATH: the file is gone afterwards; 44 when it was not there.
pub const REMOVE: Script = Script {
    name: "remove",
    writes: true,
    text: r#"set -eu
[ -e "$1" ] || [ -L "$1" ] || exit 44
[ ! -d "$1" ] || [ -L "$1" ] || exit 45
rm -f -- "$1"
sync -- "${1%/*}/"
"#,
};

/// PATH MODE: the directory exists afterwards, with its parents; an existing one keeps its mode.
pub const MAKE_DIRECTORY: Script = Script {
    name: "make directory",
    writes: true,
    text: r#"set -eu
[ ! -d "$1" ] || exit 0
[ ! -e "$1" ] || exit 45
mkdir -p -- "$1"
chmod -- "$2" "$1"
sync -- "${1%/*}/"
"#,
};

/// All of them.
pub const ALL: &[Script] = &[LIST, READ, PUT, REMOVE, MAKE_DIRECTORY];

/// The script with exactly this text.
pub fn by_text(text: &str) -> Option<Script> {
    ALL.iter().copied().find(|script| script.text == text)
}
