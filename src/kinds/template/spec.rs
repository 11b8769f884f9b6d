//! What a person writes to describe a template.
use crate::{
    kinds::declared::{Declarations, Declared, Spec},
    model::{Checksum, Deletion, HttpUrl, Identifier, Name},
    resources::template_volume::{Source, VolumeId},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A template of containers, or an image for virtual machines, that must be on a storage. It is brought there before the
/// guests that are made from it, and never deleted: a file has no place for our mark. What is there under its name is taken
/// as it is, so that a new version wants a new name.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "Template")]
pub struct Template {
    /// The storage that holds it.
    pub storage: Identifier,
    /// Nodes on which it is needed, beside those of the guests that name it; the Site's default where neither says any. A
    /// storage that nodes share gets it once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nodes: Vec<Identifier>,
    /// A template of containers. Either this or `image`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<Origin>,
    /// An image whose content becomes the disk of a virtual machine (content type `import`): a file that ends in .qcow2,
    /// .raw, .vmdk or .ova.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<Origin>,
}

/// Where a file comes from: with `file` alone, from Proxmox's index of appliances (templates of containers only).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Origin {
    /// The file's name on the storage; the last part of `url` or `upload` unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<Identifier>,
    /// Where the node downloads it. Needs `checksum`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<HttpUrl>,
    /// What the file's content must be, as `sha256:…` or `sha512:…`. Proxmox verifies it before the file appears.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checksum: Option<Checksum>,
    /// A file that is sent from here; relative to the directory of the manifests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upload: Option<String>,
}

impl Origin {
    /// The file's name on the storage. `None`: nothing that is given ends in one.
    pub fn file(&self) -> Option<String> {
        let last = |path: &str| path.rsplit('/').next().filter(|name| !name.is_empty()).map(str::to_owned);
        self.file
            .as_ref()
            .map(ToString::to_string)
            .or_else(|| last(self.url.as_ref()?.url().path()))
            .or_else(|| last(self.upload.as_deref()?))
    }

    /// How it comes to the storage. `None`: a URL without a checksum, which the check of the manifests refuses.
    pub fn source(&self) -> Option<Source> {
        match (&self.url, &self.upload) {
            (Some(url), _) => Some(Source::Url { url: url.clone(), checksum: self.checksum.clone()? }),
            (None, Some(path)) => Some(Source::Upload { path: path.clone(), checksum: self.checksum.clone() }),
            (None, None) => Some(Source::Index),
        }
    }
}

impl Template {
    /// Where it comes from, whatever it is.
    pub fn origin(&self) -> Option<&Origin> {
        self.container.as_ref().or(self.image.as_ref())
    }

    /// The volume as Proxmox names it: `local:vztmpl/debian-13-standard_13.1-2_amd64.tar.zst`. `None` where the check of the
    /// manifests reports a mistake.
    pub fn volume(&self) -> Option<VolumeId> {
        let content = if self.container.is_some() { "vztmpl" } else { "import" };
        let file = self.origin()?.file()?;
        Some(VolumeId { storage: self.storage.to_string(), content: content.into(), file })
    }
}

impl Spec for Template {
    const KIND: &'static str = "Template";
    const DELETION: Deletion = Deletion::Retain;
    const EXAMPLE: &'static str = include_str!("example.yaml");
    fn of(declarations: &Declarations) -> &BTreeMap<Name, Declared<Self>> {
        &declarations.templates
    }
    fn of_mut(declarations: &mut Declarations) -> &mut BTreeMap<Name, Declared<Self>> {
        &mut declarations.templates
    }
}
