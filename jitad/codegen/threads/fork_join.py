"""Fork and join, in LLVM IR.

In: a function ``task(context, first, last, scratch) -> status`` of pieces first .. last - 1 of a loop, and how many pieces there are. Out: the
highest status. Invariant: every piece runs once, and all have run when `SHARE` returns; memory is touched by nothing after that.

`ENTER` says how many threads a kernel may use, itself included; `SHARE` runs a loop; `LEAVE` lets the threads sleep. `SETTINGS`, `RESET` and
`STOP` are for the process: see `jitad.codegen.threads.team`. What the other threads do, and how they end, is in `jitad.codegen.threads.life`.
"""

from jitad.codegen.threads.life import LIFE, MOST, STOP

ENTER, LEAVE, SHARE = "jitad_team_enter", "jitad_team_leave", "jitad_team_share"
SETTINGS, RESET = "jitad_team_settings", "jitad_team_reset"
LAST_SPINS = 500  # of the caller at the end of a loop, before it leaves its CPU to a thread that the system has stopped in a piece
RETREAT, LONGEST_RETREAT = 64, 4096  # loops that the caller runs alone after one in which it lost more time than it gained

TEAM = f"""
@limit = internal global i32 1       ; threads that a kernel in the main thread may use
@others = internal global i32 1      ; and in any other
@main = internal global i64 0        ; the main thread
@busy = internal global i32 0        ; whether a kernel has the team
@eager = internal global i32 0       ; whether it is worth waiting for its next loop
@asleep = internal global i32 0      ; threads that have to be woken
@stopping = internal global i32 0
@threads = internal global i32 0     ; that have been made, without the callers'
@handles = internal global [{MOST} x i64] zeroinitializer
@mutex = internal global [16 x i64] zeroinitializer
@woken = internal global [16 x i64] zeroinitializer
@over = internal global [16 x i64] zeroinitializer
@alone = internal global i32 0       ; loops that the caller runs by itself, since a thread was stopped in the one before
@penalty = internal global i32 {RETREAT}    ; how many these are the next time
@waiting = internal global i32 0     ; whether the caller has to be woken at the end of the loop

; The loop that runs. What belongs to a loop is only written while no piece of it is left, and a thread believes it only after it has taken a
; piece: `turns` holds, per thread, the loop's number (32 bits), its next piece and the end of its range (16 bits each).
@number = internal global i32 0, align 64
@task = internal global ptr null
@context = internal global ptr null
@size = internal global i32 1
@turns = internal global [{MOST} x [8 x i64]] zeroinitializer, align 64
@done = internal global i32 0, align 64
@status = internal global i32 0

declare i32 @jitad_pthread_create(ptr, ptr, ptr, ptr)
declare i32 @jitad_pthread_join(i64, ptr)
declare i64 @jitad_pthread_self()
declare i32 @jitad_pthread_mutex_init(ptr, ptr)
declare i32 @jitad_pthread_mutex_lock(ptr)
declare i32 @jitad_pthread_mutex_unlock(ptr)
declare i32 @jitad_pthread_cond_init(ptr, ptr)
declare i32 @jitad_pthread_cond_wait(ptr, ptr)
declare i32 @jitad_pthread_cond_broadcast(ptr)
declare i32 @jitad_sigfillset(ptr)
declare i32 @jitad_clock_gettime(i32, ptr)
declare i32 @jitad_pthread_sigmask(i32, ptr, ptr)
declare ptr @jitad_PyMem_RawMalloc(i64)
declare void @jitad_PyMem_RawFree(ptr)

define void @{SETTINGS}(i32 %limit, i32 %others) {{
  store atomic i32 %limit, ptr @limit monotonic, align 4
  store atomic i32 %others, ptr @others monotonic, align 4
  ret void
}}

; There is no team yet, or not any more: in a child process only the thread that has forked is left, and is its main thread.
define void @{RESET}(i64 %main) {{
  store i64 %main, ptr @main
  store i32 0, ptr @busy
  store i32 0, ptr @eager
  store i32 0, ptr @asleep
  store i32 0, ptr @threads
  %mutex = call i32 @jitad_pthread_mutex_init(ptr @mutex, ptr null)
  %woken = call i32 @jitad_pthread_cond_init(ptr @woken, ptr null)
  %over = call i32 @jitad_pthread_cond_init(ptr @over, ptr null)
  ret void
}}

define i32 @{ENTER}() {{
  %self = call i64 @jitad_pthread_self()
  %main = load i64, ptr @main
  %is_main = icmp eq i64 %self, %main
  %place = select i1 %is_main, ptr @limit, ptr @others
  %wanted = load atomic i32, ptr %place monotonic, align 4
  %several = icmp sgt i32 %wanted, 1
  br i1 %several, label %try, label %alone
try:
  %pair = cmpxchg ptr @busy, i32 0, i32 1 acquire monotonic
  %free = extractvalue {{ i32, i1 }} %pair, 1
  br i1 %free, label %count, label %alone
count:
  %there = load i32, ptr @threads
  %following = add i32 %there, 1
  %enough = icmp sge i32 %following, %wanted
  br i1 %enough, label %ready, label %make
make:
  %handle = getelementptr [{MOST} x i64], ptr @handles, i32 0, i32 %following
  %wide = zext i32 %following to i64
  %own = inttoptr i64 %wide to ptr
  %problem = call i32 @jitad_pthread_create(ptr %handle, ptr null, ptr @work, ptr %own)
  %made = icmp eq i32 %problem, 0
  br i1 %made, label %next, label %short
next:
  store i32 %following, ptr @threads
  br label %count
short:                                                   ; there are no more threads to be had
  %some = icmp sgt i32 %there, 0
  br i1 %some, label %ready, label %none
none:
  store atomic i32 0, ptr @busy release, align 4
  br label %alone
ready:
  %found = phi i32 [ %wanted, %count ], [ %following, %short ]
  store atomic i32 1, ptr @eager monotonic, align 4
  ret i32 %found
alone:
  ret i32 1
}}

define void @{LEAVE}(i32 %size) {{
  %several = icmp sgt i32 %size, 1
  br i1 %several, label %leave, label %end
leave:
  store atomic i32 0, ptr @eager monotonic, align 4
  store atomic i32 0, ptr @busy release, align 4
  br label %end
end:
  ret void
}}

define i32 @{SHARE}(ptr %task, ptr %context, i32 %pieces, i32 %size) {{
  %alone = load i32, ptr @alone
  %allowed = icmp eq i32 %alone, 0
  br i1 %allowed, label %start, label %run_alone
run_alone:
  %fewer = sub i32 %alone, 1
  store i32 %fewer, ptr @alone
  %all_pieces = zext i32 %pieces to i64
  %direct = call i32 %task(ptr %context, i64 0, i64 %all_pieces, ptr null)
  ret i32 %direct
start:
  %begun = call i64 @now()
  store atomic ptr %task, ptr @task monotonic, align 8
  store atomic ptr %context, ptr @context monotonic, align 8
  store atomic i32 %size, ptr @size monotonic, align 4
  store atomic i32 0, ptr @done monotonic, align 4
  store atomic i32 0, ptr @status monotonic, align 4
  %last = load atomic i32, ptr @number monotonic, align 4
  %number = add i32 %last, 1
  %wide = zext i32 %number to i64
  %high = shl i64 %wide, 32
  br label %deal
deal:
  %thread = phi i32 [ 0, %start ], [ %following, %deal ]
  %first = phi i32 [ 0, %start ], [ %end, %deal ]
  %following = add i32 %thread, 1
  %scaled = mul i32 %pieces, %following
  %end = udiv i32 %scaled, %size
  %starting = shl i32 %first, 16
  %range = or i32 %starting, %end
  %low = zext i32 %range to i64
  %turn = or i64 %high, %low
  %place = getelementptr [{MOST} x [8 x i64]], ptr @turns, i32 0, i32 %thread
  store atomic i64 %turn, ptr %place release, align 8
  %more = icmp ult i32 %following, %size
  br i1 %more, label %deal, label %publish
publish:
  store atomic i32 %number, ptr @number seq_cst, align 4
  %sleeping = load atomic i32, ptr @asleep seq_cst, align 4
  %awake = icmp eq i32 %sleeping, 0
  br i1 %awake, label %run, label %wake
wake:
  call void @wake()
  br label %run
run:
  call void @take_part(i32 0, i32 %number, ptr null)
  br label %spin
spin:
  %spins = phi i32 [ 0, %run ], [ %spun, %pause ]
  %finished = load atomic i32, ptr @done acquire, align 4
  %all = icmp eq i32 %finished, %pieces
  br i1 %all, label %smooth, label %wait
smooth:
  %high_penalty = load i32, ptr @penalty
  %less = sub i32 %high_penalty, 1
  %above = icmp ugt i32 %less, {RETREAT}
  %lower = select i1 %above, i32 %less, i32 {RETREAT}
  store i32 %lower, ptr @penalty
  br label %joined
wait:
  %patient = icmp ult i32 %spins, {LAST_SPINS}
  br i1 %patient, label %pause, label %sleep
pause:
  call PAUSE
  %spun = add i32 %spins, 1
  br label %spin
sleep:
  %stalled = call i64 @now()
  %locked = call i32 @jitad_pthread_mutex_lock(ptr @mutex)
  store atomic i32 1, ptr @waiting seq_cst, align 4
  br label %check
check:
  %now = load atomic i32, ptr @done seq_cst, align 4
  %none_left = icmp eq i32 %now, %pieces
  br i1 %none_left, label %rise, label %doze
doze:
  %woken = call i32 @jitad_pthread_cond_wait(ptr @over, ptr @mutex)
  br label %check
rise:
  store atomic i32 0, ptr @waiting monotonic, align 4
  %unlocked = call i32 @jitad_pthread_mutex_unlock(ptr @mutex)
  %ended = call i64 @now()
  %work = sub i64 %stalled, %begun
  %stall = sub i64 %ended, %stalled
  %lost = icmp ugt i64 %stall, %work
  br i1 %lost, label %yield, label %joined
yield:                                                   ; another process has the CPU: leave it alone for a while
  %old = load i32, ptr @penalty
  store i32 %old, ptr @alone
  %doubled = shl i32 %old, 1
  %mild = icmp ult i32 %doubled, {LONGEST_RETREAT}
  %new = select i1 %mild, i32 %doubled, i32 {LONGEST_RETREAT}
  store i32 %new, ptr @penalty
  br label %joined
joined:
  %found = load atomic i32, ptr @status monotonic, align 4
  ret i32 %found
}}

define internal i64 @now() {{
  %time = alloca [2 x i64]
  %problem = call i32 @jitad_clock_gettime(i32 CLOCK_MONOTONIC, ptr %time)
  %seconds = load i64, ptr %time
  %place = getelementptr [2 x i64], ptr %time, i64 0, i64 1
  %nanoseconds = load i64, ptr %place
  %scaled = mul i64 %seconds, 1000000000
  %sum = add i64 %scaled, %nanoseconds
  ret i64 %sum
}}

define internal void @wake() {{
  %locked = call i32 @jitad_pthread_mutex_lock(ptr @mutex)
  %woken = call i32 @jitad_pthread_cond_broadcast(ptr @woken)
  %unlocked = call i32 @jitad_pthread_mutex_unlock(ptr @mutex)
  ret void
}}

; Run pieces of the loop of this number: a thread's own first, then what others have left. At the end say how many that were.
define internal void @take_part(i32 %thread, i32 %number, ptr %scratch) {{
  %size = load atomic i32, ptr @size monotonic, align 4
  %member = icmp ult i32 %thread, %size
  br i1 %member, label %owner, label %away
away:
  ret void
owner:
  %distance = phi i32 [ 0, %0 ], [ %farther, %next ]
  %owner_runs = phi i32 [ 0, %0 ], [ %runs, %next ]
  %owner_worst = phi i32 [ 0, %0 ], [ %worst, %next ]
  %sum = add i32 %thread, %distance
  %beyond = icmp uge i32 %sum, %size
  %less = sub i32 %sum, %size
  %index = select i1 %beyond, i32 %less, i32 %sum
  %place = getelementptr [{MOST} x [8 x i64]], ptr @turns, i32 0, i32 %index
  br label %look
look:
  %runs = phi i32 [ %owner_runs, %owner ], [ %runs, %take ], [ %more_runs, %run ]
  %worst = phi i32 [ %owner_worst, %owner ], [ %worst, %take ], [ %worse, %run ]
  %turn = load atomic i64, ptr %place acquire, align 8
  %high = lshr i64 %turn, 32
  %loop = trunc i64 %high to i32
  %current = icmp eq i32 %loop, %number
  br i1 %current, label %compare, label %end
compare:
  %low = trunc i64 %turn to i32
  %piece = lshr i32 %low, 16
  %stop = and i32 %low, 65535
  %left = icmp ult i32 %piece, %stop
  br i1 %left, label %take, label %next
take:
  %task = load atomic ptr, ptr @task monotonic, align 8
  %context = load atomic ptr, ptr @context monotonic, align 8
  %advanced = add i64 %turn, 65536
  %pair = cmpxchg ptr %place, i64 %turn, i64 %advanced acq_rel monotonic
  %taken = extractvalue {{ i64, i1 }} %pair, 1
  br i1 %taken, label %run, label %look
run:
  %first = zext i32 %piece to i64
  %last = add i64 %first, 1
  %found = call i32 %task(ptr %context, i64 %first, i64 %last, ptr %scratch)
  %higher = icmp sgt i32 %found, %worst
  %worse = select i1 %higher, i32 %found, i32 %worst
  %more_runs = add i32 %runs, 1
  br label %look
next:
  %farther = add i32 %distance, 1
  %again = icmp ult i32 %farther, %size
  br i1 %again, label %owner, label %end
end:
  %none = icmp eq i32 %runs, 0
  br i1 %none, label %back, label %report
report:
  %before = atomicrmw max ptr @status, i32 %worst monotonic
  %finished = atomicrmw add ptr @done, i32 %runs seq_cst
  %waiting = load atomic i32, ptr @waiting seq_cst, align 4
  %awaited = icmp ne i32 %waiting, 0
  br i1 %awaited, label %tell, label %back
tell:
  %locked = call i32 @jitad_pthread_mutex_lock(ptr @mutex)
  %told = call i32 @jitad_pthread_cond_broadcast(ptr @over)
  %unlocked = call i32 @jitad_pthread_mutex_unlock(ptr @mutex)
  br label %back
back:
  ret void
}}
"""
TEAM += LIFE
ALONE = f"""
define void @{SETTINGS}(i32 %limit, i32 %others) {{
  ret void
}}
define void @{RESET}(i64 %main) {{
  ret void
}}
define void @{STOP}() {{
  ret void
}}
define i32 @{ENTER}() {{
  ret i32 1
}}
define void @{LEAVE}(i32 %size) {{
  ret void
}}
define i32 @{SHARE}(ptr %task, ptr %context, i32 %pieces, i32 %size) {{
  %wide = zext i32 %pieces to i64
  %status = call i32 %task(ptr %context, i64 0, i64 %wide, ptr null)
  ret i32 %status
}}
"""
