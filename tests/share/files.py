"""What programs do with files, in the directory that is the argument: prints each thing that does not work as on a Linux file system."""

import ctypes, fcntl, mmap, os, socket, sqlite3, stat, subprocess, sys

os.umask(0o022)
os.chdir(sys.argv[1])
failed = 0


def check(function):
    global failed
    name = function.__name__.replace("_", " ")
    try:
        function()
    except Exception as error:
        failed += 1
        print(f"{name}: {error!r}")


def same(have, want):
    if have != want:
        raise ValueError(f"{have!r}, not {want!r}")


def write(path, text=""):
    with open(path, "w") as file:
        file.write(text)


def read(path):
    with open(path) as file:
        return file.read()


def child(program):
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.strip()


def mode(path):
    return oct(os.lstat(path).st_mode)


@check
def fifos():
    os.mkfifo("fifo", 0o640)
    same(mode("fifo"), "0o10640")
    os.chown("fifo", 12, 34)
    os.chmod("fifo", 0o4755)
    same((os.stat("fifo").st_uid, os.stat("fifo").st_gid), (12, 34))
    reader = subprocess.Popen(["cat", "fifo"], stdout=subprocess.PIPE, text=True)
    write("fifo", "through it")
    same(reader.communicate()[0], "through it")


@check
def device_nodes():
    os.mknod("null", 0o666 | stat.S_IFCHR, os.makedev(1, 3))
    os.mknod("loop", 0o600 | stat.S_IFBLK, os.makedev(7, 0))
    same((mode("null"), mode("loop")), ("0o20644", "0o60600"))
    same((os.stat("null").st_rdev, os.stat("loop").st_rdev), (os.makedev(1, 3), os.makedev(7, 0)))
    write("null", "gone")
    same(read("null"), "")


@check
def unix_sockets():
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
        server.bind("socket")
        os.chmod("socket", 0o777)
        server.listen()
        same(mode("socket"), "0o140777")
        client.connect("socket")
        connection = server.accept()[0]
        connection.sendall(b"hello")
        connection.close()
        same(client.recv(10), b"hello")


@check
def locks_of_two_processes():
    # A file for each: on the share both are one kind of lock, as on NFS.
    for lock in ("flock", "lockf"):
        with open(lock, "w") as file:
            getattr(fcntl, lock)(file, fcntl.LOCK_EX)
            other = f"import fcntl\ntry: fcntl.{lock}(open('{lock}', 'w'), fcntl.LOCK_EX | fcntl.LOCK_NB)\nexcept BlockingIOError: print('held')"
            same(child(other), "held")


@check
def a_file_that_another_takes_the_place_of():
    write("old", "old")
    write("new", "new")
    with open("old") as file:
        os.rename("new", "old")
        same((file.read(), read("old")), ("old", "new"))


@check
def a_file_without_a_name():
    with open("unlinked", "w+") as file:
        file.write("words")
        file.flush()
        os.unlink("unlinked")
        file.seek(0)
        same((file.read(), os.fstat(file.fileno()).st_size), ("words", 5))


@check
def links():
    write("first", "1")
    os.link("first", "second")
    write("second", "both")
    os.symlink("second", "link")
    same((os.stat("first").st_nlink, read("first"), read("link")), (2, "both", "both"))


@check
def extended_attributes():
    write("attributes")
    os.setxattr("attributes", "user.name", b"value")
    same((os.listxattr("attributes"), os.getxattr("attributes", "user.name")), (["user.name"], b"value"))


@check
def a_file_with_holes():
    with open("holes", "wb") as file:
        file.seek(2**30)
        file.write(b"end")
    same((os.stat("holes").st_size, os.stat("holes").st_blocks < 100), (2**30 + 3, True))


@check
def shared_memory_of_a_file():
    with open("mapped", "w+b") as file:
        file.write(bytes(8192))
        file.flush()
        memory = mmap.mmap(file.fileno(), 8192)
        memory[4096:4100] = b"page"
        memory.flush()
        same(child("print(open('mapped').read()[4096:4100])"), "page")
        os.pwrite(file.fileno(), b"later", 0)
        same(memory[0:5], b"later")


@check
def a_directory_of_many():
    os.mkdir("many")
    for number in range(300):
        write(f"many/{number}")
    same(sorted(map(int, os.listdir("many"))), list(range(300)))
    subprocess.run(["rm", "-r", "many"], check=True)


@check
def watching_a_directory():
    libc = ctypes.CDLL(None)
    watch = libc.inotify_init1(os.O_NONBLOCK)
    libc.inotify_add_watch(watch, b".", 0x100)  # IN_CREATE
    write("watched")
    same(b"watched\0" in os.read(watch, 4096), True)


def database(journal):
    base = sqlite3.connect(f"{journal}.db")
    base.execute(f"pragma journal_mode = {journal}")
    base.execute("create table numbers (number)")
    base.executemany("insert into numbers values (?)", [(number,) for number in range(100)])
    base.commit()
    other = f"import sqlite3\nd = sqlite3.connect('{journal}.db')\nd.execute('insert into numbers values (7)')\nd.commit()"
    child(other)
    same(base.execute("select count(*) from numbers").fetchone(), (101,))


@check
def a_database_with_a_journal():
    database("delete")


@check
def a_database_with_a_log():
    database("wal")


@check
def a_program_just_written():
    write("program", "#!/bin/sh\necho ran\n")
    os.chmod("program", 0o755)
    same(subprocess.run(["./program"], capture_output=True, text=True).stdout, "ran\n")


sys.exit(failed > 0)
