//! The model bites: what the protocol forbids is done, and a promise breaks. Each is the rule's reason to be there.

use crate::explore::explore;
use crate::oracle::Broken;
use crate::scene;
use crate::world::Breakage;

/// The promise that breaks first among those that are `watched`, when the rules of `breakages` are broken.
fn broken(breakages: &[Breakage], faults: u8, watched: fn(&Broken) -> bool) -> Broken {
    let scene = crate::world::Scene { breakages: breakages.to_vec(), ..scene([&[0, 1, 2], &[]], faults) };
    let story = explore(&scene, watched).expect_err("some promise breaks");
    println!("{story}");
    story.broken
}

fn counts_twice(broken: &Broken) -> bool {
    matches!(broken, Broken::Doubled(..))
}

fn counts_wrong(broken: &Broken) -> bool {
    matches!(broken, Broken::Doubled(..) | Broken::Lost(..))
}

fn any(_: &Broken) -> bool {
    true
}

macro_rules! t {
    ($name:ident, $b:expr, $f:expr, $w:expr) => {
        #[test]
        fn $name() {
            broken($b, $f, $w);
        }
    };
}
use Breakage::*;
t!(gate, &[NoGate], 1, counts_twice);
t!(doubt, &[DoubtAsAbort], 1, counts_twice);
t!(disk_any, &[DiskBeforeCommit], 0, any);
t!(disk_lost, &[DiskBeforeCommit], 1, |b| matches!(b, Broken::Lost(..)));
t!(disk_lost2, &[DiskBeforeCommit], 2, |b| matches!(b, Broken::Lost(..)));
t!(offsets, &[NoOffsets], 1, counts_twice);
t!(renew, &[NoRenewal], 1, any);
t!(renew2, &[NoRenewal], 2, counts_wrong);
t!(flush, &[CommitBeforeFlush], 0, any);
t!(offsets_before_flush1, &[OffsetsBeforeFlush], 1, any);
t!(offsets_before_flush2, &[OffsetsBeforeFlush], 2, any);
t!(unstable1, &[UnstableFetch], 1, any);
t!(unstable2, &[UnstableFetch], 2, counts_wrong);
t!(unstable_obf, &[UnstableFetch, OffsetsBeforeFlush], 2, counts_wrong);
t!(watermark1, &[WatermarkFirst], 1, any);
t!(watermark2, &[WatermarkFirst], 2, any);
t!(watermark_nc, &[WatermarkFirst, NoComparison], 2, counts_wrong);
t!(lso1, &[ReplayToStableEnd], 1, any);
t!(lso_nc, &[ReplayToStableEnd, NoComparison], 1, counts_wrong);
t!(nocomparison, &[NoComparison], 2, any);
t!(number2, &[NumberAlone], 2, any);
t!(number2p1, &[NumberAlone], 3, counts_wrong);
t!(lettinggo, &[NoLettingGo], 2, any);
t!(refusal, &[RefusalAtOnce], 2, any);
t!(progress, &[ProgressBeforeProof], 2, any);
t!(anygen, &[AnyGeneration], 1, counts_twice);
