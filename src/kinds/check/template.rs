//! What a template's fields must be, beyond their shape.
use super::{
    claim::{Claim, exclusive},
    key_spot, spot,
};
use crate::{
    kinds::{
        Declarations, Declared,
        container::TemplateSource,
        template::{Origin, Template},
    },
    manifest::Diagnostic,
    model::Deletion,
};

/// Endings that Proxmox takes for templates of containers (pve-storage of 8.4 and 9.2).
const ARCHIVES: [&str; 4] = [".tar.zst", ".tar.gz", ".tar.xz", ".tar.bz2"];
/// Endings of the content type `import`.
const IMAGES: [&str; 4] = [".qcow2", ".raw", ".vmdk", ".ova"];

pub(super) fn check(declarations: &Declarations, found: &mut Vec<Diagnostic>) {
    for template in declarations.templates.values() {
        match (&template.spec.container, &template.spec.image) {
            (Some(origin), None) => one(template, origin, "container", found),
            (None, Some(origin)) => one(template, origin, "image", found),
            (None, None) => {
                let message = "neither `container` nor `image` is given";
                let mistake = Diagnostic::error("wrong-value", key_spot(template, "spec.storage"), message);
                found.push(mistake.label("in this").hint("add `container` for LXC, or `image` for virtual machines"));
            }
            (Some(_), Some(_)) => {
                let message = "both `container` and `image` are given";
                let mistake = Diagnostic::error("wrong-value", key_spot(template, "spec.image"), message);
                found.push(mistake.hint("make a Template of each"));
            }
        }
        if template.meta.deletion == Deletion::Delete {
            let message = "a template is never deleted by trueup: its file carries no mark that says whose it is";
            let at = spot(template, "metadata.annotations.trueup/deletion");
            found.push(Diagnostic::error("not-supported", at, message).hint("delete the file on the storage by hand"));
        }
    }
    let volumes = declarations.templates.values().filter_map(|template| {
        let volume = template.spec.volume()?;
        Some(Claim { key: volume.to_string(), spot: spot(template, "metadata.name"), by: template.id().to_string() })
    });
    exclusive("duplicate-volume", |volume| format!("the volume {volume}"), volumes.collect(), found);
    for guest in declarations.containers.values() {
        let Some(TemplateSource::Declared(name)) = &guest.spec.template else { continue };
        if let Some(template) = declarations.templates.get(name).filter(|t| t.spec.container.is_none()) {
            let message = format!("the Template `{name}` is an image, and containers are not made from images");
            let mistake = Diagnostic::error("reference", spot(guest, "spec.template"), message);
            found.push(mistake.other(spot(template, "metadata.name"), "declared here"));
        }
    }
}

fn one(template: &Declared<Template>, origin: &Origin, which: &str, found: &mut Vec<Diagnostic>) {
    let field = |name: &str| format!("spec.{which}.{name}");
    let whole = format!("spec.{which}");
    let wrong = |path: &str, message: String, hint: &str| {
        Diagnostic::error("wrong-value", spot(template, path), message).hint(hint)
    };
    match (&origin.url, &origin.upload, &origin.checksum) {
        (Some(_), Some(_), _) => {
            let hint = "a file is either downloaded by the node or sent from here";
            found.push(wrong(&field("upload"), "both `url` and `upload` are given".into(), hint));
        }
        (Some(_), None, None) => {
            let hint = "add `checksum: \"sha256:…\"`, as the publisher of the file gives it";
            found.push(wrong(&field("url"), "a download needs a `checksum`".into(), hint));
        }
        (None, None, Some(_)) => {
            let hint = "leave it out: the appliance index has its own checksums";
            found.push(wrong(&field("checksum"), "a checksum belongs to `url` or `upload`".into(), hint));
        }
        (None, None, None) if which == "image" => {
            let hint = "say where the image comes from, with `url` and `checksum` or with `upload`";
            found.push(wrong(&whole, "the appliance index has no images of virtual machines".into(), hint));
        }
        _ => {}
    }
    let Some(file) = origin.file() else {
        found.push(wrong(&whole, "nothing says how the file is called".into(), "add `file`"));
        return;
    };
    let at =
        if origin.file.is_some() { field("file") } else { field(if origin.url.is_some() { "url" } else { "upload" }) };
    let endings = if which == "container" { ARCHIVES } else { IMAGES };
    if !endings.iter().any(|ending| file.ends_with(ending) && file.len() > ending.len()) {
        let message = format!("the file `{file}` ends in none of {}", endings.join(", "));
        let hint = match which {
            "image" => "most cloud images that end in .img are qcow2: give `file` with that ending",
            _ => "give `file` with the ending of what it is",
        };
        found.push(wrong(&at, message, hint));
    }
    // Proxmox would store it under another name.
    if let Some(letter) = file.chars().find(|c| !c.is_ascii_alphanumeric() && !matches!(c, '-' | '_' | '.')) {
        let message = format!("the file name `{file}` has `{letter}`, which Proxmox would replace");
        found.push(wrong(&at, message, "give `file`: letters, digits, `-`, `_` and `.` are possible"));
    }
}
