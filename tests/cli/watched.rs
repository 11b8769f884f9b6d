//! T3: somebody watches the directory of the reverse proxy while passes write there, as Traefik does.
use crate::environment::{Environment, guest};
use notify::{EventKind, RecursiveMode, Watcher, event::ModifyKind};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

/// What was seen: each file that a reader of the directory would have taken up, with its content at that moment.
type Seen = Arc<Mutex<Vec<(PathBuf, Option<String>)>>>;

/// Traefik's own watcher reads the whole directory at each event, whatever it was about.
fn watch(directory: &Path, seen: &Seen, events: &Arc<Mutex<Vec<notify::Event>>>) -> impl Watcher + use<> {
    let (seen, events, at) = (Arc::clone(seen), Arc::clone(events), directory.to_owned());
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        let event = event.unwrap();
        // That somebody reads is nothing new, least of all that we do.
        if matches!(event.kind, EventKind::Access(_)) {
            return;
        }
        events.lock().unwrap().push(event);
        for entry in fs::read_dir(&at).into_iter().flatten().flatten() {
            let path = entry.path();
            let taken =
                path.extension().is_some_and(|ending| ["yml", "yaml", "toml"].iter().any(|known| ending == *known));
            if taken {
                seen.lock().unwrap().push((path.clone(), fs::read_to_string(&path).ok()));
            }
        }
    })
    .unwrap();
    watcher.watch(directory, RecursiveMode::NonRecursive).unwrap();
    watcher
}

#[test]
fn whoever_watches_the_directory_sees_each_file_whole_and_under_its_name() {
    let mut environment = Environment::with_site();
    environment.start_sandbox();
    let directory = environment.path("sandbox/node/etc/traefik/dynamic");
    let (seen, events) = (Seen::default(), Arc::default());
    let watcher = watch(&directory, &seen, &events);
    let mut whole: BTreeMap<PathBuf, Vec<String>> = BTreeMap::new();
    // Made, changed, changed again, and gone: what stands there after a pass is what a reader may see.
    for last in [5, 6, 7, 0] {
        let (manifest, _) = guest("web", 5).split_once("---\n").map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
        let text = if last == 0 {
            manifest
        } else {
            guest("web", last).replace("spec:\n  t", "spec:\n  restartPolicy: whenNeeded\n  t")
        };
        environment.write("manifests/web.yaml", &text);
        let ran = environment.reconcile(&[]);
        assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
        for entry in fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            whole.entry(path.clone()).or_default().push(fs::read_to_string(&path).unwrap());
        }
    }
    // The events of the last pass have arrived when those of a file that is made now have.
    let last = directory.join("last.yml");
    fs::write(&last, "").unwrap();
    let arrived = || events.lock().unwrap().iter().any(|event: &notify::Event| event.paths.contains(&last));
    while !arrived() {
        std::thread::yield_now();
    }
    drop(watcher);

    let names: Vec<_> = whole.keys().map(|path| path.file_name().unwrap().to_string_lossy().into_owned()).collect();
    let [ours] = &whole.keys().collect::<Vec<_>>()[..] else { panic!("{names:?}") };
    let versions = &whole[*ours];
    assert_eq!(versions.len(), 3, "one file, in three versions");
    let seen = seen.lock().unwrap();
    let of_ours: Vec<&String> =
        seen.iter().filter(|(path, _)| path == *ours).filter_map(|(_, text)| text.as_ref()).collect();
    assert!(!of_ours.is_empty(), "it was watched");
    for text in &of_ours {
        assert!(versions.contains(text), "half a file was seen: {text}");
    }
    let strange: Vec<_> = seen.iter().map(|(path, _)| path).filter(|path| *path != *ours && **path != last).collect();
    assert!(strange.is_empty(), "{strange:?}");
    let events = events.lock().unwrap();
    let of = |wanted: fn(&EventKind) -> bool| {
        events.iter().filter(move |event| wanted(&event.kind) && event.paths.contains(ours)).count()
    };
    assert_eq!(of(EventKind::is_create), 0, "it is never made under its name, only moved there");
    assert_eq!(of(|kind| matches!(kind, EventKind::Modify(ModifyKind::Data(_)))), 0, "nor written to");
    assert!(of(|kind| matches!(kind, EventKind::Modify(ModifyKind::Name(_)))) >= 3, "{events:?}");
    println!("T3: {} looks at a directory in which a file came, changed and went", of_ours.len());
}
