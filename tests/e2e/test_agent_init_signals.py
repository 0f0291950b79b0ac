"""acp-agent-init: signals, and who hears of them."""
import signal

from harness.deadline import PATIENCE
from test_agent_init import PYTHON, make_init  # noqa: F401  a fixture


def test_signals_are_passed_on(make_init):
    signals = [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2,
               signal.SIGWINCH, signal.SIGCONT, signal.SIGTSTP, signal.SIGPIPE, signal.SIGALRM, signal.SIGRTMIN + 3]
    init = make_init([*PYTHON, """if True:
        import signal, sys
        signals = [int(one) for one in sys.argv[1:]]
        signal.pthread_sigmask(signal.SIG_BLOCK, signals)
        print("ready", flush=True)
        for _ in signals:
            print(int(signal.sigwait(signals)), flush=True)
        """, *(str(int(one)) for one in signals)])
    assert init.process.stdout.readline() == b"ready\n"
    for one in signals:
        init.process.send_signal(one)
        assert int(init.process.stdout.readline()) == one
    assert init.ended() == (0, "", "")


def test_an_agent_that_a_launcher_waits_for_hears_of_signals(make_init):
    init = make_init(["sh", "-c", "trap : TERM; cat; echo $?; exit 5"])
    init.wait_for_command("cat")
    init.process.send_signal(signal.SIGTERM)
    assert init.process.wait(PATIENCE) == 5  # before stdin is closed, which ends cat, too
    assert init.process.stdout.read() == b"143\n"


def test_a_launcher_that_ignores_signals_keeps_none_from_the_agent(make_init):
    agent = "import signal; signal.signal(signal.SIGTERM, signal.SIG_DFL); print('ready', flush=True); input()"
    init = make_init(["sh", "-c", 'trap "" TERM; "$@"; echo $?; exit 5', "sh", *PYTHON, agent])
    assert init.process.stdout.readline() == b"ready\n"
    init.process.send_signal(signal.SIGTERM)
    assert init.process.wait(PATIENCE) == 5
    assert init.process.stdout.read() == b"143\n"


def test_a_signal_that_comes_at_once_is_not_lost(make_init):
    for _ in range(20):
        init = make_init(["sh", "-c", "cat"])
        init.wait_for_child()
        init.process.send_signal(signal.SIGTERM)
        assert init.process.wait(PATIENCE) == 143


def test_a_command_in_another_group_hears_of_signals(make_init):
    init = make_init([*PYTHON, "import os; os.setpgid(0, os.getpgid(os.getppid())); print('ready', flush=True); input()"])
    assert init.process.stdout.readline() == b"ready\n"
    init.process.send_signal(signal.SIGTERM)
    assert init.process.wait(PATIENCE) == 143


def test_a_signal_that_nobody_catches_ends_the_command(make_init):
    init = make_init()
    init.process.send_signal(signal.SIGTERM)
    assert init.process.wait(PATIENCE) == 143  # before its stdin is closed, which ends it, too


def test_the_command_begins_with_no_signal_blocked_or_ignored(make_init):
    def spoil():
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGUSR1})
        for one in (signal.SIGCHLD, signal.SIGPIPE, signal.SIGHUP):
            signal.signal(one, signal.SIG_IGN)
    code, output, _ = make_init(["grep", "-E", "^Sig(Blk|Ign)", "/proc/self/status"], preexec_fn=spoil).ended()
    assert code == 0
    assert {line.split()[1] for line in output.splitlines()} == {"0" * 16}, output
