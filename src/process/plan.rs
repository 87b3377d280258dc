//! Which descriptors a child moves, worked out before there is a child: a pure function from what is asked for to a
//! list of moves, so that it can be tested against a simulated table (golang/go 61751 and 66654 were such tables).

use std::collections::BTreeSet;
use std::os::fd::RawFd;

/// One act on the child's descriptor table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Move {
    /// dup3(from, to, O_CLOEXEC): out of the way of those to come.
    Park { from: RawFd, to: RawFd },
    /// dup3(from, to, 0): to its place.
    Place { from: RawFd, to: RawFd },
    /// It is in its place already: clear close-on-exec, which dup3(n, n) would not (and Node sets it on 0–2).
    Stay { fd: RawFd },
    /// close(fd), which may not be open.
    Close { fd: RawFd },
    /// close_range(first, ~0, CLOSE_RANGE_UNSHARE): the child's own table from here on, a copy of what lies below.
    Unshare { first: RawFd },
    /// close_range(first, last).
    CloseRange { first: RawFd, last: RawFd },
}

/// The moves, in order, and where the descriptors that the child needs after them are by then.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) moves: Vec<Move>,
    pub(crate) needed: Vec<RawFd>,
}

/// A plan after which the child has `stdio[i]` as descriptor i (None: closed), still has all of `needed` (the program,
/// the start directory, the error pipe: close-on-exec, above those), and nothing else.
///
/// In two passes. First, whatever stands where something else is to go, and is still wanted, is parked above. Then no
/// source is a target of another, and each goes to its place.
pub(crate) fn plan(stdio: &[Option<RawFd>], needed: &[RawFd]) -> Plan {
    let count = stdio.len() as RawFd;
    let mut parking = Parking::new(count, stdio.iter().flatten().chain(needed));
    for (target, source) in (0..).zip(stdio) {
        if let Some(source) = source
            && *source != target
        {
            parking.park_if_low(*source);
        }
    }
    for fd in needed {
        parking.park_if_low(*fd);
    }

    let mut moves: Vec<Move> = parking.moves.iter().map(|&(from, to)| Move::Park { from, to }).collect();
    for (target, source) in (0..).zip(stdio) {
        moves.push(match *source {
            None => Move::Close { fd: target },
            Some(source) if source == target => Move::Stay { fd: target },
            Some(source) => Move::Place { from: parking.place_of(source), to: target },
        });
    }
    let needed: Vec<RawFd> = needed.iter().map(|fd| parking.place_of(*fd)).collect();
    moves.extend(gaps(count, &needed));
    Plan { moves, needed }
}

/// Everything from `first` on but the descriptors in `needed`, as ranges to be closed.
fn gaps(first: RawFd, needed: &[RawFd]) -> Vec<Move> {
    let mut first = first;
    let mut ranges = Vec::new();
    for fd in needed.iter().copied().collect::<BTreeSet<_>>() {
        if first < fd {
            ranges.push(Move::CloseRange { first, last: fd - 1 });
        }
        first = fd + 1;
    }
    ranges.push(Move::CloseRange { first, last: RawFd::MAX });
    ranges
}

/// Where descriptors below `count` wait: numbers from `count` on that hold nothing which is still wanted.
struct Parking {
    count: RawFd,
    taken: BTreeSet<RawFd>,
    moves: Vec<(RawFd, RawFd)>,
}

impl Parking {
    fn new<'a>(count: RawFd, wanted: impl Iterator<Item = &'a RawFd>) -> Parking {
        Parking { count, taken: wanted.copied().collect(), moves: Vec::new() }
    }

    fn park_if_low(&mut self, fd: RawFd) {
        if fd >= self.count || self.moves.iter().any(|(from, _)| *from == fd) {
            return;
        }
        let free = (self.count..RawFd::MAX).find(|number| !self.taken.contains(number));
        if let Some(free) = free {
            self.taken.insert(free);
            self.moves.push((fd, free));
        }
    }

    fn place_of(&self, fd: RawFd) -> RawFd {
        self.moves.iter().find(|(from, _)| *from == fd).map_or(fd, |(_, to)| *to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    /// A descriptor table: what each number holds, and whether it is marked close-on-exec.
    type Table = BTreeMap<RawFd, (u32, bool)>;

    fn apply(table: &mut Table, moves: &[Move]) {
        for act in moves {
            match *act {
                Move::Park { from, to } => {
                    assert_ne!(from, to, "dup3 of a descriptor onto itself is EINVAL");
                    let file = table.get(&from).expect("EBADF").0;
                    table.insert(to, (file, true));
                }
                Move::Place { from, to } => {
                    assert_ne!(from, to, "dup3 of a descriptor onto itself is EINVAL");
                    let file = table.get(&from).expect("EBADF").0;
                    table.insert(to, (file, false));
                }
                Move::Stay { fd } => table.get_mut(&fd).expect("EBADF").1 = false,
                Move::Close { fd } => drop(table.remove(&fd)),
                Move::Unshare { first } => table.retain(|fd, _| *fd < first),
                Move::CloseRange { first, last } => table.retain(|fd, _| *fd < first || *fd > last),
            }
        }
    }

    /// The child of this table and request ends with exactly what was asked for.
    fn check(table: &Table, stdio: &[Option<RawFd>], needed: &[RawFd]) {
        let plan = plan(stdio, needed);
        let mut child = table.clone();
        apply(&mut child, &plan.moves);
        assert_eq!(plan.needed.len(), needed.len());

        let mut expected = Table::new();
        for (target, source) in (0..).zip(stdio) {
            if let Some(source) = source {
                expected.insert(target, (table[source].0, false));
            }
        }
        for (before, after) in needed.iter().zip(&plan.needed) {
            assert!(*after >= stdio.len() as RawFd, "a needed descriptor is above the child's own");
            expected.insert(*after, (table[before].0, true));
        }
        assert_eq!(child, expected, "{stdio:?} {needed:?}: {:?}", plan.moves);
    }

    fn table(numbers: impl IntoIterator<Item = RawFd>) -> Table {
        (100..).zip(numbers).map(|(file, number)| (number, (file, true))).collect()
    }

    #[test]
    fn the_program_is_not_overwritten_by_a_descriptor_moved_to_its_number() {
        // golang/go 61751: the descriptor used between clone and exec had a number that the child's files were to get.
        check(&table([0, 1, 2, 3]), &[Some(0), Some(1), Some(2), Some(0)], &[3]);
        check(&table([0, 1, 2, 3, 4, 5]), &[Some(0), Some(1), Some(2), Some(5), Some(5)], &[3, 4]);
    }

    #[test]
    fn the_error_pipe_is_not_overwritten_when_there_are_many_descriptors() {
        // golang/go 66654: with enough files for the child, the passing of one closed the pipe that tells of errors.
        let files: Vec<Option<RawFd>> = (0..12).map(|number| Some(20 - number)).collect();
        check(&table(0..24), &files, &[3, 11, 12]);
    }

    #[test]
    fn standard_streams_change_places() {
        check(&table([0, 1, 2, 7]), &[Some(1), Some(0), Some(1)], &[7]);
        check(&table([0, 1, 2, 7]), &[Some(1), Some(2), Some(0)], &[7]);
        check(&table([0, 1, 2, 7]), &[None, Some(0), None], &[7]);
    }

    #[test]
    fn closed_standard_streams_do_not_matter() {
        check(&table([5, 6, 7, 8]), &[Some(5), Some(6), Some(7)], &[8]);
    }

    /// A table of up to 24 descriptors among the first 40 numbers.
    fn tables() -> impl Strategy<Value = Vec<RawFd>> {
        prop::collection::btree_set(0..40, 4..24).prop_map(|set| set.into_iter().collect())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]

        #[test]
        fn the_child_ends_with_exactly_what_was_asked_for(
            (numbers, stdio, needed) in tables().prop_flat_map(|numbers| {
                let stdio = prop::collection::vec(prop::option::weighted(0.9, prop::sample::select(numbers.clone())), 0..12);
                // The program, the start directory, the error pipe: descriptors of our own, each a different one.
                let needed = prop::sample::subsequence(numbers.clone(), 1..=3).prop_shuffle();
                (Just(numbers), stdio, needed)
            })
        ) {
            check(&table(numbers), &stdio, &needed);
        }
    }
}
