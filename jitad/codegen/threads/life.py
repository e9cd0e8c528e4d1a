"""What a thread of the team does all its life, and how it ends, in LLVM IR.

In: the globals of `jitad.codegen.threads.fork_join`, and its ``take_part``. Out: ``work``, which a thread runs: it waits for loops, for a while
awake and then asleep, and takes part in them; and `STOP`. Invariant: a thread that sleeps is counted in ``asleep`` before it looks for a loop
a last time.
"""

STOP = "jitad_team_stop"
MOST = 64  # threads
SCRATCH = 2**20  # bytes of memory that each thread but the caller's has to work in
SPINS = 2000  # of who waits for the next loop, before it goes to sleep

LIFE = f"""
; What a thread does all its life.
define internal ptr @work(ptr %own) {{
  %signals = alloca [32 x i64]
  %filled = call i32 @jitad_sigfillset(ptr %signals)
  %masked = call i32 @jitad_pthread_sigmask(i32 SIG_SETMASK, ptr %signals, ptr null)
  %wide = ptrtoint ptr %own to i64
  %thread = trunc i64 %wide to i32
  %scratch = call ptr @jitad_PyMem_RawMalloc(i64 {SCRATCH})
  %nothing = icmp eq ptr %scratch, null
  br i1 %nothing, label %end, label %idle
idle:
  %seen = phi i32 [ 0, %0 ], [ %number, %join ]
  br label %spin
spin:
  %spins = phi i32 [ 0, %idle ], [ %spun, %pause ]
  %latest = load atomic i32, ptr @number acquire, align 4
  %new = icmp ne i32 %latest, %seen
  br i1 %new, label %awake, label %wait
wait:
  %eager = load atomic i32, ptr @eager monotonic, align 4
  %hopeful = icmp ne i32 %eager, 0
  %patient = icmp ult i32 %spins, {SPINS}
  %spinning = and i1 %hopeful, %patient
  br i1 %spinning, label %pause, label %sleep
pause:
  call PAUSE
  %spun = add i32 %spins, 1
  br label %spin
sleep:
  %locked = call i32 @jitad_pthread_mutex_lock(ptr @mutex)
  %up = atomicrmw add ptr @asleep, i32 1 seq_cst
  br label %check
check:
  %now = load atomic i32, ptr @number seq_cst, align 4
  %same = icmp eq i32 %now, %seen
  br i1 %same, label %doze, label %rise
doze:
  %woken = call i32 @jitad_pthread_cond_wait(ptr @woken, ptr @mutex)
  br label %check
rise:
  %down = atomicrmw sub ptr @asleep, i32 1 seq_cst
  %unlocked = call i32 @jitad_pthread_mutex_unlock(ptr @mutex)
  br label %awake
awake:
  %number = phi i32 [ %latest, %spin ], [ %now, %rise ]
  %stopping = load atomic i32, ptr @stopping acquire, align 4
  %stop = icmp ne i32 %stopping, 0
  br i1 %stop, label %finish, label %join
join:
  call void @take_part(i32 %thread, i32 %number, ptr %scratch)
  br label %idle
finish:
  call void @jitad_PyMem_RawFree(ptr %scratch)
  br label %end
end:
  ret ptr null
}}

; Let the threads end, unless a kernel has the team.
define void @{STOP}() {{
  %pair = cmpxchg ptr @busy, i32 0, i32 1 acquire monotonic
  %free = extractvalue {{ i32, i1 }} %pair, 1
  br i1 %free, label %tell, label %end
tell:
  store atomic i32 1, ptr @stopping release, align 4
  %number = atomicrmw add ptr @number, i32 1 seq_cst
  call void @wake()
  br label %next
next:
  %thread = load i32, ptr @threads
  %last = icmp eq i32 %thread, 0
  br i1 %last, label %stopped, label %join
join:
  %place = getelementptr [{MOST} x i64], ptr @handles, i32 0, i32 %thread
  %handle = load i64, ptr %place
  %joined = call i32 @jitad_pthread_join(i64 %handle, ptr null)
  %fewer = sub i32 %thread, 1
  store i32 %fewer, ptr @threads
  br label %next
stopped:
  store atomic i32 0, ptr @stopping monotonic, align 4
  store atomic i32 0, ptr @busy release, align 4
  br label %end
end:
  ret void
}}
"""
