import pytest
import torch

from magicpose_cli.diffusion.attention_bank import AttentionBank
from magicpose_cli.diffusion.reference_attention import attach_read, attach_write, reference_layers


def inputs(rows, seed=0):
    g = torch.Generator().manual_seed(seed)
    return torch.randn(rows, 4, 8, 8, generator=g), torch.randn(rows, 5, 24, generator=g)


def run(unet, x, text, t=7):
    return unet(x, t, text).sample


def filled(unet, x, text):
    bank = AttentionBank()
    with attach_write(unet, bank):
        run(unet, x, text)
    return bank


@torch.no_grad()
def test_an_empty_bank_is_the_stock_unet(shape, tiny):
    unet = tiny.unet(shape)
    x, text = inputs(3)
    stock = run(unet, x, text)
    with attach_read(unet, AttentionBank()):
        assert torch.equal(run(unet, x, text), stock)


@torch.no_grad()
def test_writing_does_not_change_the_pass_and_covers_every_layer(shape, tiny):
    unet = tiny.unet(shape)
    x, text = inputs(2)
    stock = run(unet, x, text)
    bank = AttentionBank()
    with attach_write(unet, bank):
        assert torch.equal(run(unet, x, text), stock)
    assert bank.names == tuple(reference_layers(unet))
    assert len(bank) == 1 + 1 + 2  # down, middle, up (one more than down, as ever)
    assert bank.references == 2


@torch.no_grad()
def test_reading_equals_stock_attention_over_the_joined_tokens(shape, tiny):
    unet, appearance = tiny.unet(shape, seed=1), tiny.unet(shape, seed=2)
    x, text = inputs(3)
    bank = filled(appearance, *inputs(1, seed=5))

    class Joined:
        def __init__(self, name, original):
            self.name, self.original = name, original

        def __call__(self, attn, hidden_states, encoder_hidden_states=None, attention_mask=None):
            tokens = bank.read(self.name).expand(len(hidden_states), -1, -1)
            return self.original(attn, hidden_states, torch.cat([hidden_states, tokens], dim=1))

    with attach_read(unet, bank):
        ours = run(unet, x, text)
    for name, layer in reference_layers(unet).items():
        layer.set_processor(Joined(name, layer.processor))
    torch.testing.assert_close(ours, run(unet, x, text), rtol=1e-5, atol=1e-6)


@torch.no_grad()
def test_row_r_k_reads_reference_r(tiny):
    unet, appearance = tiny.unet(), tiny.unet(seed=2)
    x, text = inputs(6)
    references, reference_text = inputs(2, seed=5)
    with attach_read(unet, filled(appearance, references, reference_text)):
        together = run(unet, x, text)
    for r in range(2):
        with attach_read(unet, filled(appearance, references[r : r + 1], reference_text[r : r + 1])):
            alone = run(unet, x[3 * r : 3 * r + 3], text[3 * r : 3 * r + 3])
        torch.testing.assert_close(together[3 * r : 3 * r + 3], alone, rtol=1e-5, atol=1e-6)


def test_rows_that_references_do_not_divide_are_an_error(tiny):
    unet = tiny.unet()
    bank = filled(unet, *inputs(2))
    with attach_read(unet, bank), pytest.raises(ValueError, match="3 denoiser rows cannot share 2 references"):
        run(unet, *inputs(3))


def test_processors_are_restored_after_an_exception(shape, tiny):
    unet = tiny.unet(shape)
    before = dict(unet.attn_processors)
    for attach in (attach_write, attach_read):
        with pytest.raises(RuntimeError, match="on purpose"), attach(unet, AttentionBank()):
            assert unet.attn_processors != before
            raise RuntimeError("on purpose")
        assert unet.attn_processors == before


def test_bank_keys_are_projected_once_until_the_bank_is_cleared(tiny):
    unet = tiny.unet()
    x, text = inputs(2)
    layer = next(iter(reference_layers(unet).values()))
    seen = []
    layer.to_k.register_forward_hook(lambda module, args, out: seen.append(len(args[0])))
    bank = filled(unet, *inputs(1, seed=5))
    seen.clear()
    with torch.no_grad():
        for _ in range(3):
            with attach_read(unet, bank):
                run(unet, x, text)
        assert sorted(seen) == [1, 2, 2, 2]
        bank.clear()
        with attach_write(unet, bank):
            run(unet, *inputs(1, seed=6))
        with attach_read(unet, bank):
            again = run(unet, x, text)
        with attach_read(unet, filled(unet, *inputs(1, seed=6))):
            torch.testing.assert_close(again, run(unet, x, text))


@pytest.mark.parametrize("checkpointing", [False, True])
def test_gradients_flow_through_the_bank(checkpointing, tiny):
    unet, appearance = tiny.unet(), tiny.unet(seed=2)
    unet.requires_grad_(False)
    if checkpointing:
        unet.train().enable_gradient_checkpointing()
        appearance.train().enable_gradient_checkpointing()
    bank = AttentionBank()
    with attach_write(appearance, bank):
        run(appearance, *inputs(2, seed=5))
    with attach_read(unet, bank):
        run(unet, *inputs(4)).square().mean().backward()
    grads = {name: p.grad for name, p in appearance.named_parameters() if p.grad is not None}
    assert any(g.abs().max() > 0 for name, g in grads.items() if name.startswith("conv_in"))
    assert all(p.grad is None for p in unet.parameters())
    if checkpointing:
        plain = tiny.unet(seed=2)
        bank = filled(plain, *inputs(2, seed=5))
        unet.disable_gradient_checkpointing()
        with attach_read(unet, bank):
            run(unet, *inputs(4)).square().mean().backward()
        torch.testing.assert_close(plain.conv_in.weight.grad, appearance.conv_in.weight.grad)


def test_the_bank_checks_what_is_written_and_read():
    bank = AttentionBank()
    bank.write("a", torch.zeros(2, 3, 4))
    with pytest.raises(ValueError, match="already written"):
        bank.write("a", torch.zeros(2, 3, 4))
    with pytest.raises(ValueError, match="1 references, the bank holds 2"):
        bank.write("b", torch.zeros(1, 3, 4))
    with pytest.raises(ValueError, match="not \\(references, tokens, channels\\)"):
        bank.write("b", torch.zeros(3, 4))
    with pytest.raises(KeyError, match="layer b was not written"):
        bank.read("b")
    bank.clear()
    assert len(bank) == 0 and bank.references == 0
