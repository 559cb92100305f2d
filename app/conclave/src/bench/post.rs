use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::Sender;

/// How many messages are on their way or being dealt with, in all threads of a meeting together.
///
/// What a message leads to is sent before that message counts as dealt with. So if there is none,
/// nothing goes on but what waits for its time.
#[derive(Clone, Debug, Default)]
pub(super) struct Load(Arc<AtomicUsize>);

impl Load {
    pub(super) fn is_none(&self) -> bool {
        self.0.load(Ordering::SeqCst) == 0
    }

    /// A message has been dealt with.
    pub(super) fn done(&self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// The way to a thread: what is sent counts until the thread is [`done`](Load::done) with it.
#[derive(Debug)]
pub(super) struct Post<T> {
    sender: Sender<T>,
    load: Load,
}

impl<T> Post<T> {
    pub(super) fn new(sender: Sender<T>, load: &Load) -> Self {
        Self { sender, load: load.clone() }
    }

    pub(super) fn send(&self, message: T) {
        self.load.0.fetch_add(1, Ordering::SeqCst);
        // A thread that is over has nothing to do with it.
        if self.sender.send(message).is_err() {
            self.load.done();
        }
    }
}

impl<T> Clone for Post<T> {
    fn clone(&self) -> Self {
        Self::new(self.sender.clone(), &self.load)
    }
}
