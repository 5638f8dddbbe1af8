"""Test that locks are usable in forked children of busy processes."""

from __future__ import annotations

import gc
import os
import sys
import threading
import time
import weakref

import pytest

from headroom_core import register_compressor, unregister_compressor
from headroom_core._internal.fork import ForkSafeLock
from headroom_core.compressors.smart_crusher import TableCompressor
from headroom_core.tokens.tokenizer import Tokenizer

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="Windows does not fork"),
    pytest.mark.filterwarnings("ignore:This process:DeprecationWarning"),
]


def test_a_child_finds_free_locks_and_consistent_state() -> None:
    lock, is_locked, pair = ForkSafeLock(), threading.Event(), [0, 0]

    def change() -> None:
        with lock:
            pair[0] = 1
            is_locked.set()
            time.sleep(0.05)
            pair[1] = 1

    thread = threading.Thread(target=change)
    thread.start()
    is_locked.wait()
    if (child := os.fork()) == 0:
        with lock:
            os._exit(0 if pair == [1, 1] else 1)
    thread.join()
    assert os.waitpid(child, 0)[1] == 0
    with lock:
        assert pair == [1, 1]


def test_a_child_counts_tokens_while_threads_of_the_parent_do() -> None:
    tokenizer, done = Tokenizer(), threading.Event()

    def count() -> None:
        number = 0
        while not done.is_set():
            tokenizer.count_text(f"parent {(number := number + 1)}")

    threads = [threading.Thread(target=count) for _ in range(2)]
    for thread in threads:
        thread.start()
    for child in range(5):
        if (process := os.fork()) == 0:
            os._exit(0 if tokenizer.count_text(f"child {child}") else 1)
        assert os.waitpid(process, 0)[1] == 0
    done.set()
    for thread in threads:
        thread.join()


def test_a_child_registers_compressors_while_threads_of_the_parent_do() -> None:
    done = threading.Event()

    def register() -> None:
        compressor = TableCompressor()
        register_compressor(compressor)
        unregister_compressor(compressor)

    def keep_registering() -> None:
        while not done.is_set():
            register()

    threads = [threading.Thread(target=keep_registering) for _ in range(2)]
    for thread in threads:
        thread.start()
    for _ in range(20):
        if (process := os.fork()) == 0:
            register()
            os._exit(0)
        assert os.waitpid(process, 0)[1] == 0
    done.set()
    for thread in threads:
        thread.join()


def test_an_unreferenced_lock_is_garbage_collected() -> None:
    lock = ForkSafeLock()
    reference = weakref.ref(lock)
    del lock
    gc.collect()
    assert reference() is None
