//! Which rank of how many this process is, as its launcher says in the environment.

use crate::{Result, TrainError};

/// What started the ranks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Launcher {
    /// `torchrun` and what sets the same variables: `RANK`, `WORLD_SIZE`, `LOCAL_RANK`,
    /// `MASTER_ADDR`, `MASTER_PORT`.
    Torchrun,
    /// `mpirun` of OpenMPI: `OMPI_COMM_WORLD_*`.
    OpenMpi,
    /// `mpiexec` of MPICH or Intel MPI, `srun --mpi=pmi2`: `PMI_*`.
    Pmi,
    /// `srun`: `SLURM_*`.
    Slurm,
}

/// This process among those that a launcher started together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Launch {
    /// 0 to `size - 1`; rank 0 writes checkpoints.
    pub rank: usize,
    /// How many ranks there are, at least two.
    pub size: usize,
    /// Number of this rank on its machine: it computes on the GPU of this number.
    pub local_rank: usize,
    /// What started it.
    pub launcher: Launcher,
    /// Address and port of rank 0's machine, where the launcher tells them.
    pub master: Option<(String, u16)>,
}

/// Variables of one launcher. The first name of a list that is set counts.
struct Variables {
    launcher: Launcher,
    rank: &'static str,
    size: &'static [&'static str],
    local_rank: &'static [&'static str],
}

/// In this order: `torchrun` is often started by one of the others, whose variables then count its
/// own processes; and Slurm's stand beside those of an `mpirun` that it started.
const KNOWN: [Variables; 4] = [
    Variables {
        launcher: Launcher::Torchrun,
        rank: "RANK",
        size: &["WORLD_SIZE"],
        local_rank: &["LOCAL_RANK"],
    },
    Variables {
        launcher: Launcher::OpenMpi,
        rank: "OMPI_COMM_WORLD_RANK",
        size: &["OMPI_COMM_WORLD_SIZE"],
        local_rank: &["OMPI_COMM_WORLD_LOCAL_RANK"],
    },
    Variables {
        launcher: Launcher::Pmi,
        rank: "PMI_RANK",
        size: &["PMI_SIZE"],
        local_rank: &["MPI_LOCALRANKID", "PMI_LOCAL_RANK", "SLURM_LOCALID"],
    },
    // A step's own number of tasks comes first: the job's is also set where no `srun` is.
    Variables {
        launcher: Launcher::Slurm,
        rank: "SLURM_PROCID",
        size: &["SLURM_STEP_NUM_TASKS", "SLURM_NTASKS"],
        local_rank: &["SLURM_LOCALID"],
    },
];

impl Launch {
    /// What this process's environment says; `None` where it is the only one.
    ///
    /// # Errors
    /// When the variables of a launcher contradict each other.
    pub fn from_environment() -> Result<Option<Self>> {
        Self::from_variables(|name| std::env::var(name).ok())
    }

    /// As [`Self::from_environment`], with the variables from `lookup`.
    ///
    /// # Errors
    /// As [`Self::from_environment`].
    pub fn from_variables(lookup: impl Fn(&str) -> Option<String>) -> Result<Option<Self>> {
        let number = |name: &str| -> Result<Option<usize>> {
            let Some(text) = lookup(name) else { return Ok(None) };
            let fault = || TrainError::Launch(format!("{name}={text}: it must be a number"));
            text.trim().parse().map(Some).map_err(|_| fault())
        };
        let first = |names: &[&str]| -> Result<Option<usize>> {
            for name in names {
                if let Some(found) = number(name)? {
                    return Ok(Some(found));
                }
            }
            Ok(None)
        };
        for known in &KNOWN {
            let (Some(rank), Some(size)) = (number(known.rank)?, first(known.size)?) else {
                continue;
            };
            if size < 2 {
                return Ok(None);
            }
            if rank >= size {
                return Err(TrainError::Launch(format!(
                    "{}={rank} and {}={size}: ranks count from 0",
                    known.rank, known.size[0]
                )));
            }
            // Launchers that tell no local rank are those of one machine.
            let local_rank = first(known.local_rank)?.unwrap_or(rank);
            let master = match (lookup("MASTER_ADDR"), number("MASTER_PORT")?) {
                (Some(address), Some(port)) => {
                    let port = u16::try_from(port).map_err(|_| {
                        TrainError::Launch(format!("MASTER_PORT={port}: no such port"))
                    })?;
                    Some((address, port))
                }
                _ => None,
            };
            let launcher = known.launcher;
            return Ok(Some(Self { rank, size, local_rank, launcher, master }));
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn launch(variables: &[(&str, &str)]) -> Result<Option<Launch>> {
        Launch::from_variables(|name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        })
    }

    fn found(variables: &[(&str, &str)]) -> (usize, usize, usize, Launcher) {
        let launch = launch(variables).unwrap().unwrap();
        (launch.rank, launch.size, launch.local_rank, launch.launcher)
    }

    #[test]
    fn every_launcher_is_understood() {
        let open_mpi = [
            ("OMPI_COMM_WORLD_RANK", "5"),
            ("OMPI_COMM_WORLD_SIZE", "8"),
            ("OMPI_COMM_WORLD_LOCAL_RANK", "1"),
        ];
        assert_eq!(found(&open_mpi), (5, 8, 1, Launcher::OpenMpi));
        let mpich = [("PMI_RANK", "3"), ("PMI_SIZE", "4"), ("MPI_LOCALRANKID", "1")];
        assert_eq!(found(&mpich), (3, 4, 1, Launcher::Pmi));
        let slurm = [
            ("SLURM_PROCID", "9"),
            ("SLURM_NTASKS", "32"),
            ("SLURM_STEP_NUM_TASKS", "16"),
            ("SLURM_LOCALID", "1"),
        ];
        assert_eq!(found(&slurm), (9, 16, 1, Launcher::Slurm));
        let torchrun = [
            ("RANK", "2"),
            ("WORLD_SIZE", "4"),
            ("LOCAL_RANK", "0"),
            ("MASTER_ADDR", "node1"),
            ("MASTER_PORT", "29500"),
        ];
        assert_eq!(found(&torchrun), (2, 4, 0, Launcher::Torchrun));
        let launch = launch(&torchrun).unwrap().unwrap();
        assert_eq!(launch.master, Some(("node1".to_owned(), 29500)));
    }

    #[test]
    fn torchrun_inside_a_slurm_step_counts_its_own_processes() {
        let both = [
            ("SLURM_PROCID", "1"),
            ("SLURM_STEP_NUM_TASKS", "2"),
            ("RANK", "9"),
            ("WORLD_SIZE", "16"),
            ("LOCAL_RANK", "1"),
        ];
        assert_eq!(found(&both), (9, 16, 1, Launcher::Torchrun));
    }

    #[test]
    fn one_process_is_no_launch() {
        assert_eq!(launch(&[]).unwrap(), None);
        assert_eq!(launch(&[("SLURM_PROCID", "0"), ("SLURM_NTASKS", "1")]).unwrap(), None);
        // A job's variables alone do not say that this process is one of its tasks.
        assert_eq!(launch(&[("SLURM_NTASKS", "4")]).unwrap(), None);
    }

    #[test]
    fn contradictions_name_the_variable() {
        for (variables, named) in [
            ([("RANK", "four"), ("WORLD_SIZE", "4")], "RANK=four"),
            ([("RANK", "4"), ("WORLD_SIZE", "4")], "RANK=4 and WORLD_SIZE=4"),
        ] {
            let message = launch(&variables).unwrap_err().to_string();
            assert!(message.contains(named), "{message}");
        }
    }
}
