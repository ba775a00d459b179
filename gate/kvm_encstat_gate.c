// SPDX-License-Identifier: GPL-2.0-only
/*
 * A gate that BPF programs may shut: on each hypercall of a guest, before KVM acts on it, the
 * module calls security_kvm_encstat_gate(). A BPF program attached to that function with fmod_ret
 * decides: if it returns anything but 0, the hypercall fails in the guest with -KVM_EPERM, and
 * neither KVM nor the VMM does anything about it.
 *
 * The module sits on the entry of kvm_emulate_hypercall(), with ftrace, and only while `armed` is
 * set: otherwise KVM runs as if there were no such module. It holds no reference on kvm.ko, which
 * may be unloaded and loaded again underneath. README.md has the rest.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/bpf.h>
#include <linux/btf.h>
#include <linux/btf_ids.h>
#include <linux/ftrace.h>
#include <linux/kvm_host.h>
#include <linux/module.h>
#include <linux/preempt.h>
#include <linux/rcupdate.h>
#include <linux/static_call.h>
#include <linux/version.h>

#include <uapi/linux/kvm_para.h>

#ifndef CONFIG_X86_64
#error "kvm_encstat_gate: only for x86-64, whose registers it reads"
#endif
#ifndef CONFIG_DYNAMIC_FTRACE_WITH_ARGS
#error "kvm_encstat_gate: the kernel needs CONFIG_DYNAMIC_FTRACE_WITH_ARGS"
#endif
#ifndef CONFIG_DEBUG_INFO_BTF_MODULES
#error "kvm_encstat_gate: the kernel needs CONFIG_DEBUG_INFO_BTF_MODULES"
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 2, 0)
#define ftrace_regs_get_argument(fregs, n) ((fregs)->regs.di) /* the first one is all we need */
#define ftrace_regs_set_instruction_pointer(fregs, ip) ftrace_instruction_pointer_set(fregs, ip)
#endif

/* What a refused hypercall's number becomes where -KVM_EPERM cannot be given. */
#define NO_SUCH_HYPERCALL (~0UL)

/* ---- the function that programs attach to ---- */

/*
 * Weak, so that no compiler looks inside and leaves the call out. The name begins with security_
 * since that makes it modifiable on kernels before 6.3, too, and without a list of such functions.
 */
int security_kvm_encstat_gate(struct kvm_vcpu *vcpu, unsigned long nr, unsigned long a0,
			      unsigned long a1, unsigned long a2, unsigned long a3);

__weak noinline int security_kvm_encstat_gate(struct kvm_vcpu *vcpu, unsigned long nr,
					      unsigned long a0, unsigned long a1,
					      unsigned long a2, unsigned long a3)
{
	return 0;
}

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 3, 0)
#ifndef BTF_KFUNCS_START /* 6.9 */
#define BTF_KFUNCS_START(name) BTF_SET8_START(name)
#define BTF_KFUNCS_END(name) BTF_SET8_END(name)
#endif

BTF_KFUNCS_START(gate_ids)
BTF_ID_FLAGS(func, security_kvm_encstat_gate)
BTF_KFUNCS_END(gate_ids)

static const struct btf_kfunc_id_set gate_set = {
	.owner = THIS_MODULE,
	.set = &gate_ids,
};

static int make_modifiable(void)
{
	return register_btf_fmodret_id_set(&gate_set);
}
#else
static int make_modifiable(void)
{
	return 0; /* by its name */
}
#endif

/* ---- KVM, as it is loaded now ---- */

/*
 * Looked up by name, as linking would pin kvm.ko. The addresses are valid as long as it is loaded:
 * unhook() comes before it goes, and where they are used a vCPU is running, which holds it.
 */
static struct {
	typeof(&kvm_emulate_hypercall) emulate; /* NULL: not hooked */
	typeof(&kvm_skip_emulated_instruction) skip;
	/* KVM's way to the vendor module's get_cs_db_l_bits() */
	typeof(&STATIC_CALL_KEY(kvm_x86_get_cs_db_l_bits)) cs_bits;
} target;

#define FIND(symbol) ({					\
	typeof(&symbol) address = symbol_get(symbol);	\
							\
	if (address)					\
		symbol_put(symbol);			\
	address;					\
})

/* As KVM's is_64_bit_hypercall(). */
static bool in_64_bit_mode(struct kvm_vcpu *vcpu)
{
	typeof(((struct kvm_x86_ops *)0)->get_cs_db_l_bits) get_bits;
	int db, l;

	if (vcpu->arch.guest_state_protected)
		return true;
	if (!(vcpu->arch.efer & EFER_LMA))
		return false;
	get_bits = READ_ONCE(target.cs_bits->func);
	get_bits(vcpu, &db, &l);
	return l;
}

/* As KVM's kvm_xen_hypercall_enabled(): the VMM wants Xen's hypercalls, which are not ours. */
static bool speaks_xen(struct kvm *kvm)
{
#ifdef CONFIG_KVM_XEN
	return kvm->arch.xen_hvm_config.flags & KVM_XEN_HVM_CONFIG_INTERCEPT_HCALL;
#else
	return false;
#endif
}

/* As KVM's kvm_hv_hypercall_enabled(). */
static bool speaks_hyperv(struct kvm_vcpu *vcpu)
{
#if defined(CONFIG_KVM_HYPERV) || LINUX_VERSION_CODE < KERNEL_VERSION(6, 8, 0)
	return vcpu->arch.hyperv_enabled && vcpu->kvm->arch.hyperv.hv_guest_os_id;
#else
	return false;
#endif
}

/* ---- a hypercall ---- */

static atomic_t refusing = ATOMIC_INIT(0); /* tasks on their way through refuse() */

/* Takes the place of kvm_emulate_hypercall() for this one call, and does what KVM does for -KVM_EPERM. */
static int refuse(struct kvm_vcpu *vcpu)
{
	unsigned long answer = -KVM_EPERM;
	int ret;

	vcpu->arch.regs[VCPU_REGS_RAX] = in_64_bit_mode(vcpu) ? answer : (u32)answer;
	++vcpu->stat.hypercalls;
	ret = target.skip(vcpu); /* may sleep */
	atomic_dec(&refusing);
	return ret;
}

/*
 * At the first instruction of kvm_emulate_hypercall(). The registers are in vcpu->arch.regs, where
 * KVM reads them next; only the thread that is here writes there.
 */
static void notrace on_hypercall(unsigned long ip, unsigned long parent_ip, struct ftrace_ops *ops,
				 struct ftrace_regs *fregs)
{
	struct kvm_vcpu *vcpu = (void *)ftrace_regs_get_argument(fregs, 0);
	unsigned long *regs = vcpu->arch.regs;
	unsigned long mask;
	int refused;

	if (speaks_xen(vcpu->kvm))
		return;
	mask = in_64_bit_mode(vcpu) ? ~0UL : U32_MAX;
	/*
	 * Where a program is preempted, BPF passes over it for the next task on the same CPU. That
	 * must not happen to one that decides.
	 */
	preempt_disable_notrace();
	refused = security_kvm_encstat_gate(vcpu, regs[VCPU_REGS_RAX] & mask,
					    regs[VCPU_REGS_RBX] & mask, regs[VCPU_REGS_RCX] & mask,
					    regs[VCPU_REGS_RDX] & mask, regs[VCPU_REGS_RSI] & mask);
	preempt_enable_notrace();
	if (!refused)
		return;

	/*
	 * A guest that speaks Hyper-V can stop doing so on another vCPU before KVM looks. So it is
	 * asked about, too; but if KVM then takes this for one of Hyper-V's calls, it must not suffer,
	 * and does not: those have nothing in RAX in 64-bit mode, and no such call otherwise.
	 */
	if (!(ops->flags & FTRACE_OPS_FL_IPMODIFY) || speaks_hyperv(vcpu)) {
		regs[VCPU_REGS_RAX] = NO_SUCH_HYPERCALL;
		return;
	}
	atomic_inc(&refusing);
	ftrace_regs_set_instruction_pointer(fregs, (unsigned long)refuse);
}

/* ---- hooked or not ---- */

static DEFINE_MUTEX(lock); /* all below */
static bool ready; /* from the end of gate_init() to gate_exit() */
static bool armed;
static bool plain;

static struct ftrace_ops gate_ops;

/* Begins anew: ftrace_free_filter() leaves pointers to what it freed. */
static void forget_filter(void)
{
	ftrace_free_filter(&gate_ops);
	memset(&gate_ops, 0, sizeof(gate_ops));
}

static int try_hook(unsigned long flags)
{
	int err;

	/* PERMANENT: the sysctl kernel.ftrace_enabled does not switch it off. */
	gate_ops.func = on_hypercall;
	gate_ops.flags = FTRACE_OPS_FL_PERMANENT | flags;
	err = ftrace_set_filter_ip(&gate_ops, (unsigned long)target.emulate, 0, 1);
	if (!err)
		err = register_ftrace_function(&gate_ops);
	if (err)
		forget_filter();
	return err;
}

/* 0 without KVM, too: then it is hooked when that comes. */
static int hook(void)
{
	int err = -EBUSY;

	if (target.emulate)
		return 0;
	target.emulate = FIND(kvm_emulate_hypercall);
	if (!target.emulate)
		return 0;
	target.skip = FIND(kvm_skip_emulated_instruction);
	target.cs_bits = FIND(STATIC_CALL_KEY(kvm_x86_get_cs_db_l_bits));
	if (!target.cs_bits) {
		pr_err("this KVM does not tell in which mode a guest is\n");
		target.emulate = NULL;
		return -EOPNOTSUPP;
	}

	/* Only one may redirect a function: not where KVM is patched live. */
	if (target.skip && !plain)
		err = try_hook(FTRACE_OPS_FL_IPMODIFY);
	if (err == -EBUSY)
		err = try_hook(0);
	if (err) {
		pr_err("kvm_emulate_hypercall() cannot be hooked: %d\n", err);
		target.emulate = NULL;
	}
	return err;
}

static void unhook(void)
{
	if (!target.emulate)
		return;
	unregister_ftrace_function(&gate_ops); /* nobody is in on_hypercall() any more */
	forget_filter();
	while (atomic_read(&refusing))
		schedule_timeout_uninterruptible(1);
	synchronize_rcu_tasks(); /* nor at the last instructions of refuse() */
	target.emulate = NULL;
}

/*
 * Before kvm.ko's own code goes, the hook must: it would stay on the address. A vendor module needs
 * kvm.ko, so when one comes that is there, and there are no VMs yet.
 */
static int on_module(struct notifier_block *block, unsigned long state, void *data)
{
	struct module *module = data;

	mutex_lock(&lock);
	if (state == MODULE_STATE_COMING && armed && module != THIS_MODULE)
		hook();
	if (state == MODULE_STATE_GOING && within_module((unsigned long)target.emulate, module))
		unhook();
	mutex_unlock(&lock);
	return NOTIFY_OK;
}

static struct notifier_block module_notifier = { .notifier_call = on_module };

/* ---- parameters ---- */

static int armed_set(const char *text, const struct kernel_param *param)
{
	bool want;
	int err = kstrtobool(text, &want);

	if (err)
		return err;
	mutex_lock(&lock);
	if (ready && want)
		err = hook();
	if (ready && !want)
		unhook();
	if (!err)
		armed = want;
	mutex_unlock(&lock);
	return err;
}

static const struct kernel_param_ops armed_ops = {
	.set = armed_set,
	.get = param_get_bool,
};
module_param_cb(armed, &armed_ops, &armed, 0644);
MODULE_PARM_DESC(armed, "ask the programs attached to security_kvm_encstat_gate() about each hypercall");

static int answer_get(char *text, const struct kernel_param *param)
{
	const char *answer = "none";

	mutex_lock(&lock);
	if (target.emulate)
		answer = gate_ops.flags & FTRACE_OPS_FL_IPMODIFY ? "EPERM" : "ENOSYS";
	mutex_unlock(&lock);
	return sysfs_emit(text, "%s\n", answer);
}

static const struct kernel_param_ops answer_ops = { .get = answer_get };
module_param_cb(answer, &answer_ops, NULL, 0444);
MODULE_PARM_DESC(answer, "what a refused hypercall returns in the guest; none: not armed, or no KVM");

module_param(plain, bool, 0444);
MODULE_PARM_DESC(plain, "refuse with ENOSYS, which leaves KVM's function to live patches");

/* ---- life ---- */

static int __init gate_init(void)
{
	int err;

	if (!THIS_MODULE->btf_data_size) {
		pr_err("built without type information (BTF): no BPF program could attach\n");
		return -ENOEXEC;
	}
	err = make_modifiable();
	if (err)
		pr_warn("the kernel's list of modifiable functions did not take the gate: %d\n", err);

	err = register_module_notifier(&module_notifier);
	if (err)
		return err;
	mutex_lock(&lock);
	if (armed)
		err = hook();
	ready = !err;
	mutex_unlock(&lock);
	if (err)
		unregister_module_notifier(&module_notifier);
	return err;
}

static void __exit gate_exit(void)
{
	unregister_module_notifier(&module_notifier);
	mutex_lock(&lock);
	ready = false; /* whoever writes to `armed` now does nothing */
	unhook();
	mutex_unlock(&lock);
}

module_init(gate_init);
module_exit(gate_exit);
MODULE_DESCRIPTION("Lets BPF programs refuse the hypercalls of KVM guests");
MODULE_LICENSE("GPL");
