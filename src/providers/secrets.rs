//! Where references lead. The only place that reads secrets, right before they are used.
use crate::model::{Answer, Class, Failure, Reference};
use secrecy::SecretString;
use std::{collections::BTreeMap, io, path::PathBuf};

/// Reads secrets by reference. Their values are in nothing that can be printed.
#[derive(Clone, Debug, Default)]
pub struct Secrets {
    root: PathBuf,
    replaced: BTreeMap<Reference, SecretString>,
    otherwise: Option<SecretString>,
    moved: BTreeMap<String, PathBuf>,
}

impl Secrets {
    /// Relative paths are below `root`, the directory of the manifests.
    pub fn below(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into(), ..Self::default() }
    }

    /// What this reference reads as, wherever it leads: the credentials of a sandbox.
    pub fn replace(&mut self, reference: Reference, value: SecretString) {
        self.replaced.insert(reference, value);
    }

    /// What all other references read as where they lead to nothing: a sandbox has no real secrets.
    pub fn otherwise(&mut self, value: SecretString) {
        self.otherwise = Some(value);
    }

    /// Where a file that is no secret is, by its path in a manifest.
    pub fn path_of(&self, path: &str) -> PathBuf {
        self.moved.get(path).cloned().unwrap_or_else(|| self.root.join(path))
    }

    /// A file of a fetched commit was written elsewhere.
    pub fn moved(&mut self, path: String, to: PathBuf) {
        self.moved.insert(path, to);
    }

    /// The content, as it is.
    ///
    /// # Errors
    /// `NotFound` when nothing is there, `Denied` when it may not be read, `Invalid` when it is empty or no text.
    pub async fn read(&self, reference: &Reference) -> Answer<SecretString> {
        if let Some(value) = self.replaced.get(reference) {
            return Ok(value.clone());
        }
        match (self.lookup(reference).await, &self.otherwise) {
            (Err(failure), Some(value)) if failure.class == Class::NotFound => Ok(value.clone()),
            (answer, _) => answer,
        }
    }

    async fn lookup(&self, reference: &Reference) -> Answer<SecretString> {
        let failed = |class, why: &str| Err(Failure::new(class, format!("read {reference}"), why));
        let text = match reference {
            Reference::Env(name) => match std::env::var(name) {
                Ok(text) => text,
                Err(std::env::VarError::NotPresent) => return failed(Class::NotFound, "it is not set"),
                Err(std::env::VarError::NotUnicode(_)) => return failed(Class::Invalid, "it is not UTF-8"),
            },
            Reference::File(path) => match tokio::fs::read_to_string(self.root.join(path)).await {
                Ok(text) => text,
                Err(e) if e.kind() == io::ErrorKind::NotFound => return failed(Class::NotFound, "it does not exist"),
                Err(e) if e.kind() == io::ErrorKind::PermissionDenied => return failed(Class::Denied, &e.to_string()),
                Err(e) => return failed(Class::Invalid, &e.to_string()),
            },
            Reference::Sops(_) => return failed(Class::Invalid, "SOPS is not supported yet"),
        };
        if text.trim().is_empty() {
            return failed(Class::Invalid, "it is configured but empty");
        }
        Ok(SecretString::from(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;

    fn said(answer: Answer<SecretString>) -> String {
        answer.map_or_else(|f| format!("{}: {f}", f.class), |s| s.expose_secret().to_owned())
    }

    /// L4
    #[tokio::test]
    async fn an_empty_file_is_no_credential() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("empty"), "\n").unwrap();
        std::fs::write(dir.path().join("full"), "s3cret\n").unwrap();
        let mut secrets = Secrets::below(dir.path());
        let file = |name: &str| Reference::File(name.into());
        assert_eq!(said(secrets.read(&file("full")).await), "s3cret\n");
        insta::assert_snapshot!(said(secrets.read(&file("empty")).await), @"invalid: could not read the file empty: it is configured but empty");
        insta::assert_snapshot!(said(secrets.read(&file("none")).await), @"not found: could not read the file none: it does not exist");
        let unset = Reference::Env("TRUEUP_TEST_THAT_NOBODY_SETS".into());
        insta::assert_snapshot!(said(secrets.read(&unset).await), @"not found: could not read the environment variable TRUEUP_TEST_THAT_NOBODY_SETS: it is not set");
        secrets.otherwise("of the sandbox".into());
        assert_eq!(said(secrets.read(&unset).await), "of the sandbox");
        assert!(!format!("{secrets:?}").contains("of the sandbox"));
    }
}
