//! Descriptors that JavaScript takes by number. Until it has made its handles of them nobody owns them, and a worker may
//! be terminated just there: so each thread remembers the last ones, and closes, when it ends, those that are still what
//! they were. Its event loop has closed all of its handles by then.

use nix::sys::stat::fstat;
use std::cell::RefCell;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};

thread_local! {
    static LAST: RefCell<Handed> = const { RefCell::new(Handed(Vec::new())) };
}

/// Numbers, and which pipe or socket each was.
struct Handed(Vec<(RawFd, Option<Which>)>);

type Which = (libc::dev_t, libc::ino_t);

/// Gives them away by their numbers, -1 where there is none. Those given away by this thread before have owners by now.
pub(crate) fn hand_over(fds: Vec<Option<OwnedFd>>) -> Vec<RawFd> {
    LAST.with_borrow_mut(|last| last.0 = fds.iter().flatten().map(|fd| (fd.as_raw_fd(), which(fd.as_fd()))).collect());
    fds.into_iter().map(|fd| fd.map_or(-1, IntoRawFd::into_raw_fd)).collect()
}

fn which(fd: BorrowedFd<'_>) -> Option<Which> {
    fstat(fd).ok().map(|stat| (stat.st_dev, stat.st_ino))
}

impl Drop for Handed {
    fn drop(&mut self) {
        for (fd, handed) in self.0.drain(..) {
            // SAFETY: it is asked only which file it is, open or not.
            let now = which(unsafe { BorrowedFd::borrow_raw(fd) });
            if handed.is_some() && handed == now {
                // SAFETY: it is the very pipe that was handed over, and nobody has made a handle of it: those of this
                // thread's event loop are closed.
                drop(unsafe { OwnedFd::from_raw_fd(fd) });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::unistd::pipe;
    use std::os::fd::AsRawFd;

    fn is_open(fd: RawFd, as_it_was: Option<Which>) -> bool {
        // SAFETY: as above.
        which(unsafe { BorrowedFd::borrow_raw(fd) }) == as_it_was
    }

    #[test]
    fn a_thread_closes_what_was_not_taken_and_nothing_else() {
        let (untaken, theirs) = pipe().unwrap();
        let (early, _) = pipe().unwrap();
        let (taken, _) = pipe().unwrap();
        let pipes = [&early, &untaken, &taken].map(|fd| (fd.as_raw_fd(), which(fd.as_fd())));
        let [early_pipe, untaken_pipe, taken_pipe] = pipes;
        std::thread::spawn(move || {
            assert_eq!(hand_over(vec![Some(early), None]), [early_pipe.0, -1]);
            hand_over(vec![Some(untaken), None, Some(taken)]);
            // SAFETY: it was handed over, and nobody else has taken it.
            drop(unsafe { OwnedFd::from_raw_fd(taken_pipe.0) });
        })
        .join()
        .unwrap();
        assert!(is_open(early_pipe.0, early_pipe.1), "it has an owner by now");
        assert!(!is_open(untaken_pipe.0, untaken_pipe.1));
        drop(theirs);
    }
}
