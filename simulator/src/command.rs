//! What can be run, a module for each word.

pub(crate) mod histories;
<<<<<<< HEAD
pub(crate) mod museum;
=======
pub(crate) mod report;
>>>>>>> main
