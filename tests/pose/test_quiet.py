import os

from magicpose_cli.pose.quiet import without_native_noise

NOISE = (
    b"W0000 00:00:1795234269.762503    8142 inference_feedback_manager.cc:114] Feedback manager requires a model\n",
    b"I0000 00:00:1795234269.762503    8142 gl_context.cc:369] GL version\n",
    b"INFO: Created TensorFlow Lite XNNPACK delegate for CPU.\n",
    b"WARNING: All log messages before absl::InitializeLog() is called are written to STDERR\n",
)
WORDS = (
    b"E0000 00:00:1795234269.762503    8142 calculator_graph.cc:114] INVALID_ARGUMENT\n",
    b"F0000 00:00:1795234269.762503    8142 check.cc:1] Check failed\n",
    b"WARNING: something the user should see\n",
    b"\r\x1b[2K 12% of a progress bar",
)


def test_noise_is_dropped_and_all_else_comes_through_in_order(capfd):
    with without_native_noise():
        for noise, word in zip(NOISE, WORDS, strict=True):
            os.write(2, noise)
            os.write(2, word)
        os.write(2, NOISE[0])  # after an unfinished line
    os.write(2, b" and after\n")
    assert capfd.readouterr().err.encode() == b"".join(WORDS) + b" and after\n"


def test_words_come_through_when_the_block_fails(capfd):
    try:
        with without_native_noise():
            os.write(2, b"cause\n")
            raise ValueError
    except ValueError:
        pass
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "cause\nafter\n"


def test_a_closed_standard_error_is_no_trouble():
    kept = os.dup(2)
    os.close(2)
    try:
        with without_native_noise():
            pass
    finally:
        os.dup2(kept, 2)
        os.close(kept)
