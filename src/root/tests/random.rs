//! Small random trees of directories, files and links, and random names: both resolvers say the same.

use super::table::{agreed, every_rule};
use super::*;
use proptest::prelude::*;

/// Something to be put at `at`; what cannot be made there is left out.
#[derive(Clone, Debug)]
enum Thing {
    Directory(String),
    File(String),
    Link(String, String),
}

fn make(place: &Place, thing: &Thing) {
    let _ = match thing {
        Thing::Directory(at) => fs::create_dir_all(place.at(at)),
        Thing::File(at) => fs::write(place.at(at), ""),
        Thing::Link(at, target) => symlink(target, place.at(at)),
    };
}

fn plain_path() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(vec!["a", "b", "c"]), 1..4).prop_map(|words| words.join("/"))
}

/// With dots, slashes in a row, and a slash before or after it.
fn any_path() -> impl Strategy<Value = String> {
    let words = vec!["a", "a", "b", "b", "c", "..", "..", ".", "", "d"];
    let middle = prop::collection::vec(prop::sample::select(words), 1..6).prop_map(|words| words.join("/"));
    (prop::sample::select(vec!["", "", "", "/"]), middle, prop::sample::select(vec!["", "", "/"]))
        .prop_map(|(before, middle, after)| format!("{before}{middle}{after}"))
}

fn thing() -> impl Strategy<Value = Thing> {
    prop_oneof![
        plain_path().prop_map(Thing::Directory),
        plain_path().prop_map(Thing::File),
        (plain_path(), any_path()).prop_map(|(at, target)| Thing::Link(at, target)),
        (plain_path(), any_path()).prop_map(|(at, target)| Thing::Link(at, target)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn both_resolvers_agree_on_random_trees(
        things in prop::collection::vec(thing(), 1..16),
        names in prop::collection::vec(any_path(), 24),
    ) {
        let place = Place::new();
        // Over what Place makes of itself nothing else could come.
        fs::remove_dir_all(place.at("a")).unwrap();
        things.iter().for_each(|thing| make(&place, thing));
        let root = place.root();
        for name in names {
            for rules in every_rule() {
                for flags in [OFlag::O_PATH, OFlag::O_PATH | OFlag::O_NOFOLLOW, OFlag::O_NONBLOCK] {
                    let _ = agreed(&root, rules, name.as_bytes(), flags);
                }
            }
        }
    }
}
