"""The rows of faults in lock-step: what befalls which packets, for servers and for clients.

A row serves each role that its requirement names; each of its plans is one transfer. The
file has six blocks, the last one short, and what befalls a block in mid-transfer befalls
the third. Rows about windows stand in `fault_rows_windows`.
"""

from ..faults import LAST, MOMENT, Fault, Seen
from ..mishaps import (
    cut,
    damage,
    double,
    foreign,
    forge,
    hold,
    later,
    lose,
    opcode,
    other_octets,
    overdue,
    renumber,
    stretch,
)
from ..scenes import BOTH, EMPTY, READ, SHORT, WRITE, Row, one_of
from ..wire import ACK, DATA, OACK, error

OTHER_HOST = "127.0.0.5"
MID = 3

OPENINGS = (
    Row(
        "F-D1-01",
        "The first block is lost once; the repeat has to hold the same octets.",
        one_of(Fault(DATA, 1, lose())),
        plain=BOTH,
        steady=1,
    ),
    Row(
        "F-D1-03",
        "Two copies of the first block back to back, and both get their ACK.",
        one_of(Fault(DATA, 1, double())),
        plain=BOTH,
        steady=1,
    ),
    Row(
        "F-D1-05",
        "Block 1 with four kinds of damage in its header; the true one follows a little later.",
        one_of(
            *(
                Fault(DATA, 1, damage(change, mended=MOMENT))
                for change in (renumber(to=0), renumber(to=2), renumber(to=256), opcode(4))
            )
        ),
        plain=BOTH,
        may_end=True,
    ),
    Row(
        "F-OA-01",
        "The OACK is lost once; what comes next must be an OACK again, and no DATA.",
        one_of(Fault(OACK, None, lose())),
        oack=BOTH,
    ),
    Row(
        "F-OA-02",
        "The OACK of an upload is lost once; an ACK 0 in its place would undo its terms.",
        one_of(Fault(OACK, None, lose())),
        oack=BOTH,
    ),
    Row(
        "F-OA-04",
        "Two copies of the OACK; the answer may come twice, and nothing behind it.",
        one_of(Fault(OACK, None, double())),
        oack=BOTH,
        steady=1,
    ),
    Row(
        "F-OA-05",
        "The OACK comes once more when block 1 has been acknowledged.",
        one_of(Fault(OACK, None, later(until=Seen(ACK, 1)))),
        oack=BOTH,
        steady=2,
    ),
    Row(
        "F-A0-01",
        "ACK 0 is lost once, be it the answer to an OACK or to a write request.",
        one_of(Fault(ACK, 0, lose())),
        steady=1,
        oack=(READ,),
        plain=(WRITE,),
    ),
    Row(
        "F-A0-03",
        "Two copies of ACK 0 back to back; nothing but a timer may send block 1 again.",
        one_of(Fault(ACK, 0, double())),
        steady=1,
        oack=(READ,),
        plain=(WRITE,),
    ),
    Row(
        "F-A0-04",
        "ACK 0 comes again when DATA 3 has come, whose own ACK waits a little for the answer.",
        one_of(Fault(ACK, 0, later(until=Seen(DATA, 3)))),
        steady=3,
        oack=(READ,),
        plain=(WRITE,),
    ),
    Row(
        "F-A0-05",
        "ACK 0 comes just behind its own repeat.",
        one_of(Fault(ACK, 0, overdue())),
        steady=1,
        oack=(READ,),
        plain=(WRITE,),
    ),
    Row(
        "F-A0-06",
        "ACK 0 with the numbers 1 and 65535; the true one follows a little later.",
        one_of(
            Fault(ACK, 0, damage(renumber(to=1), mended=MOMENT)),
            Fault(ACK, 0, damage(renumber(to=65535), mended=MOMENT)),
        ),
        may_end=True,
        oack=(READ,),
        plain=(WRITE,),
    ),
    Row(
        "F-A0-07",
        "ACK 0 cut to 2 and to 3 octets; a whole one follows a little later.",
        one_of(
            Fault(ACK, 0, damage(cut(2), mended=MOMENT)),
            Fault(ACK, 0, damage(cut(3), mended=MOMENT)),
        ),
        may_end=True,
        oack=(READ,),
        plain=(WRITE,),
    ),
    Row(
        "F-A0-08",
        "A stranger's ACK 0 comes a little before the true one; a block that comes in between"
        " was sent for it.",
        one_of(Fault(ACK, 0, forge(own=MOMENT))),
        without=("client-write",),
        oack=(READ,),
        plain=(WRITE,),
    ),
)

DATA_ROWS = (
    Row(
        "F-DM-01",
        "The third block is lost once; what comes in its place must hold the same octets.",
        one_of(Fault(DATA, MID, lose())),
        steady=MID,
    ),
    Row(
        "F-DM-02",
        "A file of three blocks, the first two copies of each lost: more losses in all than"
        " many bear in one place.",
        one_of(Fault(DATA, None, lose(), (1, 2))),
        hurry=True,
        files=(EMPTY,),
    ),
    Row(
        "F-DM-04",
        "Two copies of the third block back to back.",
        one_of(Fault(DATA, MID, double())),
    ),
    Row(
        "F-DM-05",
        "The third block comes again behind the fifth.",
        one_of(Fault(DATA, MID, later(until=Seen(DATA, MID + 2)))),
    ),
    Row(
        "F-DM-06",
        "The third block comes just behind its own repeat, so that both copies get their ACK.",
        one_of(Fault(DATA, MID, overdue())),
        steady=MID,
    ),
    Row(
        "F-DM-07",
        "The second copy of the third block comes behind the fourth.",
        one_of(Fault(DATA, MID, later(behind=1))),
    ),
    Row(
        "F-DM-09",
        "The third block with its number changed in three ways and with two other opcodes; the"
        " true one follows a little later.",
        one_of(
            *(
                Fault(DATA, MID, damage(change, mended=MOMENT))
                for change in (renumber(1), renumber(-1), renumber(256), opcode(4), opcode(9))
            )
        ),
        may_end=True,
    ),
    Row(
        "F-DM-11",
        "The third block cut to 0, 1, 2 and 3 octets; the whole one follows a little later.",
        one_of(*(Fault(DATA, MID, damage(cut(size), mended=MOMENT)) for size in range(4))),
        may_end=True,
    ),
    Row(
        "F-DM-12",
        "The third block with 1 and with 88 octets too many; an ACK before the true one, which"
        " follows a little later, is wrong.",
        one_of(
            Fault(DATA, MID, damage(stretch(1), mended=MOMENT)),
            Fault(DATA, MID, damage(stretch(88), mended=MOMENT)),
        ),
        codes=(4,),
        may_end=True,
    ),
    Row(
        "F-DM-13",
        "Foreign octets for the third block from another port, before and after the true ones,"
        " and for the fourth from another address.",
        (
            (
                Fault(DATA, MID, forge(other_octets, own=MOMENT)),
                Fault(DATA, MID + 1, forge(other_octets, host=OTHER_HOST, own=MOMENT)),
            ),
            (Fault(DATA, MID, forge(other_octets, before=False)),),
        ),
    ),
)

ACK_ROWS = (
    Row(
        "F-AM-01",
        "The ACK of the third block is lost once; from the fourth on all has to go once.",
        one_of(Fault(ACK, MID, lose())),
        steady=MID,
    ),
    Row(
        "F-AM-02",
        "A file of three blocks, of which the first two ACKs of each but the last are lost.",
        one_of(Fault(ACK, range(1, 3), lose(), (1, 2))),
        hurry=True,
        files=(EMPTY,),
    ),
    Row(
        "F-AM-04",
        "Two copies of one ACK back to back, both sooner than any timer.",
        one_of(Fault(ACK, MID, double())),
        steady=MID,
    ),
    Row(
        "F-AM-05",
        "Ten copies of one ACK back to back.",
        one_of(Fault(ACK, MID, double(10))),
        steady=MID,
    ),
    Row(
        "F-AM-06",
        "An ACK comes again three blocks later, and the next true one waits for the answer.",
        ((Fault(ACK, 2, later(until=Seen(DATA, 5))), Fault(ACK, 5, hold(MOMENT))),),
        steady=5,
    ),
    Row(
        "F-AM-07",
        "The ACK of the third block comes just behind its own repeat, and so twice at once.",
        one_of(Fault(ACK, MID, overdue())),
        steady=MID,
    ),
    Row(
        "F-AM-08",
        "Three blocks; in a first run each ACK takes half an interval, in a second one each comes"
        " just behind its own repeat.",
        one_of(
            Fault(ACK, range(1, 3), hold(MOMENT)),
            Fault(ACK, range(1, 3), overdue()),
        ),
        files=(EMPTY,),
    ),
    Row(
        "F-AM-09",
        "A copy of each ACK comes behind its successor.",
        one_of(Fault(ACK, range(1, 5), later(behind=1))),
        steady=MID,
    ),
    Row(
        "F-AM-10",
        "The third ACK with its number changed in three ways; the true one follows a little"
        " later. As DATA or as an ERROR it may well end the transfer.",
        one_of(
            *(
                Fault(ACK, MID, damage(change, mended=MOMENT))
                for change in (renumber(1), renumber(100), renumber(-1), opcode(3), opcode(5))
            )
        ),
        may_end=True,
    ),
    Row(
        "F-AM-11",
        "The third ACK cut to 2 and to 3 octets; the whole one follows a little later.",
        one_of(
            Fault(ACK, MID, damage(cut(2), mended=MOMENT)),
            Fault(ACK, MID, damage(cut(3), mended=MOMENT)),
        ),
        may_end=True,
    ),
    Row(
        "F-AM-12",
        "The third ACK comes from another port, and the fourth from another address, each a"
        " little before the true one.",
        (
            (
                Fault(ACK, MID, forge(own=MOMENT)),
                Fault(ACK, MID + 1, forge(host=OTHER_HOST, own=MOMENT)),
            ),
        ),
    ),
)

ENDS = (
    Row(
        "F-DL-01",
        "The final block is lost once; it is a short one in one file and empty in another.",
        one_of(Fault(DATA, LAST, lose())),
        files=(SHORT, EMPTY),
    ),
    Row(
        "F-DL-03",
        "Two copies of the final block; a second ACK, ICMP and silence are all right.",
        one_of(Fault(DATA, LAST, double())),
    ),
    Row(
        "F-DL-04",
        "The final block comes just behind its own repeat.",
        one_of(Fault(DATA, LAST, overdue())),
    ),
    Row(
        "F-DL-05",
        "The final block has the number behind its own; the true one follows a little later.",
        one_of(Fault(DATA, LAST, damage(renumber(1), mended=MOMENT))),
        may_end=True,
    ),
    Row(
        "F-DL-07",
        "A stranger sends an empty block with the number due next, a little before the true one.",
        one_of(Fault(DATA, MID, forge(cut(4), own=MOMENT))),
    ),
    Row(
        "F-AL-01",
        "The final ACK is lost once; the block has to come again, and should be acknowledged"
        " again.",
        one_of(Fault(ACK, LAST, lose())),
        repeats_last=True,
    ),
    Row(
        "F-AL-04",
        "Three copies of the final ACK, and a moment to see whether they bring anything.",
        one_of(Fault(ACK, LAST, double(3))),
    ),
    Row(
        "F-AL-05",
        "The final ACK comes just behind its own repeat.",
        one_of(Fault(ACK, LAST, overdue())),
        repeats_last=True,
    ),
    Row(
        "F-AL-06",
        "The final ACK has the number before its own: only a timer may send the block again.",
        one_of(Fault(ACK, LAST, damage(renumber(-1)))),
        repeats_last=True,
    ),
    Row(
        "F-AL-07",
        "The final ACK arrives cut to 3 octets; the block is awaited once more.",
        one_of(Fault(ACK, LAST, damage(cut(3)))),
        repeats_last=True,
        may_end=True,
    ),
    Row(
        "F-AL-08",
        "Only a stranger sends the final ACK; the block has to come again all the same.",
        one_of(Fault(ACK, LAST, forge(own=None))),
        repeats_last=True,
    ),
    Row(
        "F-ER-06",
        "A stranger sends an ERROR in mid-transfer, once beside DATA and once beside an ACK.",
        (
            (Fault(DATA, MID, foreign(error(0, "From nobody"))),),
            (Fault(ACK, MID, foreign(error(0, "From nobody"))),),
        ),
    ),
)

ROWS = (*OPENINGS, *DATA_ROWS, *ACK_ROWS, *ENDS)
