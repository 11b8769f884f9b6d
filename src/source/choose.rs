//! Which files are manifests.
//!
//! All that end in `.yaml` or `.yml`, in all directories, except:
//! * what is hidden: files and directories whose names begin with a dot;
//! * in directories for other things (`files`, `keys`, `secrets`, `certs`): files that do not say that they are manifests, which is a
//!   line that begins with `apiVersion: trueup/`. Everywhere else a file without that line is a mistake that is reported: it might
//!   be a manifest whose first line was lost, and leaving it out would take away what it declares.

/// Directories that hold what manifests refer to.
const BESIDE: [&str; 4] = ["files", "keys", "secrets", "certs"];

/// How a file is treated, by its path below the directory of manifests, with `/` between the parts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Candidate {
    /// It is a manifest, whatever is in it.
    Yes,
    /// It is one if it says so.
    IfItSaysSo,
    /// It is none.
    No,
}

/// How the file at this path is treated.
pub fn is_candidate(path: &str) -> Candidate {
    let mut parts: Vec<&str> = path.split('/').collect();
    let Some(name) = parts.pop() else { return Candidate::No };
    let yaml = [".yaml", ".yml"].iter().any(|end| name.len() > end.len() && name.ends_with(end));
    if !yaml || name.starts_with('.') || parts.iter().any(|part| hidden(part)) {
        return Candidate::No;
    }
    match parts.iter().any(|part| BESIDE.contains(part)) {
        true => Candidate::IfItSaysSo,
        false => Candidate::Yes,
    }
}

/// Whether nothing below a directory of this name is looked at.
pub(super) fn hidden(directory: &str) -> bool {
    directory.starts_with('.') && directory.len() > 1
}

/// Whether the content is that of manifests.
pub(super) fn says_so(content: &[u8]) -> bool {
    let begin = |line: &[u8]| {
        let line = line.strip_prefix(b"apiVersion:").map(<[u8]>::trim_ascii_start);
        line.is_some_and(|value| value.trim_ascii_start().strip_prefix(b"\"").unwrap_or(value).starts_with(b"trueup/"))
    };
    content.split(|byte| *byte == b'\n').any(begin)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_decide_and_content_where_other_things_are() {
        for (path, expected) in [
            ("site.yaml", Candidate::Yes),
            ("guests/web.yml", Candidate::Yes),
            ("guests/deep/er/web.yaml", Candidate::Yes),
            ("files/compose.yaml", Candidate::IfItSaysSo),
            ("guests/files/compose.yaml", Candidate::IfItSaysSo),
            ("trueup.lock", Candidate::No),
            ("README.md", Candidate::No),
            (".yaml", Candidate::No),
            (".gitlab-ci.yml", Candidate::No),
            (".github/workflows/ci.yaml", Candidate::No),
            ("web.yaml.bak", Candidate::No),
        ] {
            assert_eq!(is_candidate(path), expected, "{path}");
        }
        assert!(says_so(b"# a comment\napiVersion: trueup/v1alpha1\n"));
        assert!(says_so(b"apiVersion: \"trueup/v1alpha1\"\r\n"));
        assert!(!says_so(b"services:\n  web: {}\n"));
        assert!(!says_so(b"  apiVersion: trueup/v1alpha1\n"));
    }
}
